#include "toolformer/search_documents.h"

#include <bzlib.h>
#include <doctest/doctest.h>

#include <fstream>

#include "tests/gzip.h"
#include "tests/paths.h"

namespace toolformer::search_documents_test {
namespace {

using testing::Gzip;
using testing::TemporaryFolder;

std::string Bzipped(std::string text) {
  auto size = static_cast<unsigned>(text.size() + text.size() / 50 + 1000);
  std::string out(size, '\0');
  REQUIRE(BZ2_bzBuffToBuffCompress(out.data(), &size, text.data(), static_cast<unsigned>(text.size()), 1, 0, 0) ==
          BZ_OK);
  out.resize(size);
  return out;
}

struct Read {
  absl::Status status;
  std::vector<SearchDocument> documents;
};

Read ReadBytes(const std::string& bytes) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("in"), std::ios::binary) << bytes;
  Read read;
  auto reader = OpenSearchDocuments(folder.file("in"));
  read.status = reader.status();
  SearchDocument document;
  while (read.status.ok()) {
    const auto more = (*reader)->Next(&document);
    read.status = more.status();
    if (!more.ok()) break;
    if (!*more) {
      CHECK((*reader)->bytes_read() == (*reader)->bytes());
      break;
    }
    read.documents.push_back(document);
  }
  return read;
}

TEST_CASE("JSON Lines, packed or not") {
  const std::string lines =
      "\xEF\xBB\xBF{\"id\": 7, \"title\": \"T\", \"text\": \"a\\u00e9\", \"url\": null, \"more\": [1]}\r\n\n{\"text\": "
      "\"last\"}";
  std::string many;
  for (int i = 0; i < 60000; ++i) many += "{\"text\": \"" + std::to_string(i) + "\"}\n";
  for (const std::string& bytes :
       {lines, Gzip(lines), Bzipped(lines), Gzip(lines.substr(0, 30)) + Gzip(lines.substr(30)),
        Bzipped(lines.substr(0, 30)) + Bzipped(lines.substr(30))}) {
    const Read read = ReadBytes(bytes);
    REQUIRE(read.status.ok());
    REQUIRE(read.documents.size() == 2);
    CHECK(read.documents[0].id == "7");
    CHECK(read.documents[0].title == "T");
    CHECK(read.documents[0].text == "a\u00e9");
    CHECK(read.documents[1].text == "last");
  }
  for (const std::string& bytes : {many, Gzip(many), Bzipped(many)}) {
    const Read read = ReadBytes(bytes);
    REQUIRE(read.status.ok());
    REQUIRE(read.documents.size() == 60000);
    CHECK(read.documents[59999].text == "59999");
  }
  CHECK(ReadBytes("").documents.empty());
  CHECK(ReadBytes("\n \n").status.ok());
}

TEST_CASE("what is wrong with a file is said with its line") {
  const auto message = [](const std::string& bytes) { return std::string(ReadBytes(bytes).status.message()); };
  CHECK(message("{\"text\": \"a\"}\n{\"text\": 5.5}").find("in:2: field 'text'") != std::string::npos);
  CHECK(message("{\"title\": \"a\"}").find("in:1: field 'text' is missing") != std::string::npos);
  CHECK(message("{\"text\": \"a\"").find("in:1:") != std::string::npos);
  CHECK(message("hello").find("neither JSON Lines nor a MediaWiki export") != std::string::npos);
  CHECK(message("<html><page/></html>").find("not a MediaWiki export") != std::string::npos);
  const std::string packed = Gzip("{\"text\": \"some text that is long enough to be cut\"}\n");
  CHECK(message(packed.substr(0, packed.size() - 12)).find("damaged") != std::string::npos);
  std::string flipped = packed;
  flipped[15] = static_cast<char>(flipped[15] ^ 0x55);
  CHECK_FALSE(ReadBytes(flipped).status.ok());
  CHECK(message("{\"text\": \"" + std::string(65 << 20, 'x')).find("a line of over") != std::string::npos);
  const TemporaryFolder folder;
  CHECK(absl::IsNotFound(OpenSearchDocuments(folder.file("none")).status()));
  CHECK(absl::IsInvalidArgument(OpenSearchDocuments(folder.path()).status()));
}

const char* const kExport =
    R"(<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10" xml:lang="en">
  <siteinfo><sitename>W</sitename><base>https://simple.wikipedia.org/wiki/Main_Page</base></siteinfo>
  <page><title>Tea &amp; milk</title><ns>0</ns><id>12</id>
    <revision><id>99</id><contributor><username>U</username><id>5</id></contributor><text bytes="3">'''Tea''' is a [[drink|hot drink]].</text></revision></page>
  <page><title>Talk:Tea</title><ns>1</ns><id>13</id><revision><text>chatter</text></revision></page>
  <page><title>Chai</title><ns>0</ns><id>14</id><redirect title="Tea" /><revision><text>#REDIRECT [[Tea]]</text></revision></page>
  <page><title>Cup</title><ns>0</ns><id>15</id><revision><text /></revision></page>
</mediawiki>)";

TEST_CASE("articles of a MediaWiki export") {
  for (const std::string& bytes : {std::string(kExport), Bzipped(kExport), Gzip(kExport)}) {
    const Read read = ReadBytes(bytes);
    REQUIRE(read.status.ok());
    REQUIRE(read.documents.size() == 2);
    CHECK(read.documents[0].title == "Tea & milk");
    CHECK(read.documents[0].id == "12");
    CHECK(read.documents[0].url == "https://simple.wikipedia.org/wiki/Tea_&_milk");
    CHECK(read.documents[0].text == "Tea is a hot drink.");
    CHECK(read.documents[1].title == "Cup");
    CHECK(read.documents[1].text.empty());
  }
  CHECK_FALSE(ReadBytes(std::string(kExport).substr(0, 700)).status.ok());
  std::string deep = "<mediawiki>";
  for (int i = 0; i < 100000; ++i) deep += "<a>";
  CHECK(std::string(ReadBytes(deep).status.message()).find("too deeply") != std::string::npos);
  // Entities that grow without bound.
  std::string bomb = "<?xml version=\"1.0\"?><!DOCTYPE m [<!ENTITY a \"aaaaaaaaaa\">";
  for (char c = 'b'; c < 'l'; ++c) {
    bomb += std::string("<!ENTITY ") + c + " \"";
    for (int i = 0; i < 10; ++i) bomb += std::string("&") + static_cast<char>(c - 1) + ";";
    bomb += "\">";
  }
  CHECK_FALSE(ReadBytes(bomb + "]><mediawiki><page><title>&k;</title></page></mediawiki>").status.ok());
}

TEST_CASE("markup is taken out, words stay") {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"'''Bold''' and ''italic''", "Bold and italic"},
      {"A {{cite|x={{y}}}} B", "A B"},
      {"[[Paris]] and [[London|the city]]", "Paris and the city"},
      {"[[File:a.jpg|thumb|A [[b]] c]]Text", "Text"},
      {"[[Category:Things]]", ""},
      {"[[:Category:Things|things]]", "things"},
      {"see [http://x.org the site] or [https://y.org]", "see the site or"},
      {"a<ref name=\"x\">no {{cite}}</ref> b<ref name=x /> c", "a b c"},
      {"a<!-- no --> b<br/>c", "a b c"},
      {"== Heading ==\ntext", "Heading\ntext"},
      {"* one\n** two\n# three\n: four", "one\ntwo\nthree\nfour"},
      {"{| class=x\n| cell\n|}after", "after"},
      {"5 &lt; 6 &amp; 7&nbsp;km", "5 < 6 & 7 km"},
      {"Tea ({{lang|x}}) is", "Tea is"},
      {"__NOTOC__ x __y", "x __y"},
      {"unclosed {{template text", "unclosed template text"},
      {"2 < 3 and a = b", "2 < 3 and a = b"},
      {"<b>x</b> <math>\\sum</math>", "x"},
      {"]] }} |} stray", "]] }} |} stray"},
  };
  for (const auto& [markup, text] : rows) CHECK(StripWikiMarkup(markup) == text);
}

TEST_CASE("hostile markup takes time in proportion to its size") {
  for (const std::string unit :
       {"[[", "{{", "<ref>", "== ", "[http://", "&", "<a", "''", "[[a|", "<!--", "__", "]]", "\n{|", "([["}) {
    std::string text;
    while (text.size() < (1 << 19)) text += unit;
    StripWikiMarkup(text);
    text += "}} ]] > </ref> |}";
    StripWikiMarkup(text);
  }
}

}  // namespace
}  // namespace toolformer::search_documents_test
