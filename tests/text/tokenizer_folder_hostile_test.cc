// Broken vocabulary files of every kind: refused with the name of what is wrong, never read past.
#include <functional>

#include "absl/strings/escaping.h"
#include "src/base/random.h"
#include "src/base/utf8.h"
#include "src/text/charsmap.h"
#include "src/text/protobuf.h"
#include "tests/text/tokenizer_folder_fixture.h"

namespace toolformer::testing::tokenizer_folder_hostile_test {
namespace {

using nlohmann::json;

void CheckRefused(const std::string& path, absl::StatusCode code, const std::string& says) {
  const auto tokenizer = LoadTokenizer(path);
  INFO("wanted: ", says);
  REQUIRE_FALSE(tokenizer.ok());
  const std::string message(tokenizer.status().message());
  INFO(message);
  CHECK(tokenizer.status().code() == code);
  CHECK(message.find(path) != std::string::npos);
  CHECK(message.find(says) != std::string::npos);
  CHECK(message.find('\n') == std::string::npos);
  CHECK(IsValidUtf8(message));
  CHECK(message.size() < 700);
}

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
constexpr absl::StatusCode kUnsupported = absl::StatusCode::kUnimplemented;

// Fields of protocol buffers, written as they are read nowhere else.
std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
  return bytes;
}
std::string Bytes(uint32_t field, const std::string& bytes) {
  return Varint(field << 3 | 2) + Varint(bytes.size()) + bytes;
}
std::string Integer(uint32_t field, uint64_t value) { return Varint(field << 3) + Varint(value); }
std::string Float(uint32_t field, float value) {
  std::string bytes(4, '\0');
  memcpy(bytes.data(), &value, 4);
  return Varint(field << 3 | 5) + bytes;
}
std::string PieceField(const std::string& piece, float score, int type) {
  return Bytes(1, Bytes(1, piece) + Float(2, score) + Integer(3, static_cast<uint64_t>(type)));
}
std::string SoundPieces() {
  return PieceField("<unk>", 0, 2) + PieceField("<s>", 0, 3) + PieceField("</s>", 0, 3) + PieceField("a", -1, 1) +
         PieceField("\u2581", -2, 1);
}

std::string Uint32(uint32_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}
std::string Table(const std::vector<uint32_t>& units, const std::string& replacements) {
  std::string bytes = Uint32(static_cast<uint32_t>(units.size() * 4));
  for (const uint32_t unit : units) bytes += Uint32(unit);
  return bytes + replacements;
}

}  // namespace

TEST_CASE("protocol buffers: every length is checked") {
  const auto read_all = [](const std::string& message) {
    const std::string where = "here";
    ProtobufReader reader(message, where);
    while (true) {
      const auto field = reader.Next();
      if (!field.ok()) return std::string(field.status().message());
      if (!*field) return std::string();
    }
  };
  CHECK(read_all("") == "");
  CHECK(read_all(Integer(1, ~uint64_t{0}) + Bytes(2, "x") + Float(3, 1)) == "");
  CHECK(read_all("\x08") == "here: the integer at byte 1 is cut off");
  CHECK(read_all("\x08" + std::string(11, '\x80')) == "here: the integer at byte 1 has more than 10 bytes");
  CHECK(read_all("\x0a\x05"
                 "abc") == "here: at byte 2 stand 5 bytes, but 3 are left");
  CHECK(read_all("\x0a" + Varint(~uint64_t{0})) == "here: at byte 11 stand 18446744073709551615 bytes, but 0 are left");
  CHECK(read_all("\x0d\x01") == "here: the number at byte 1 is cut off");
  CHECK(read_all("\x09\x01") == "here: the number at byte 1 is cut off");
  CHECK(read_all(std::string("\x00\x00", 2)) == "here: at byte 0 stands field 0; fields are 1 to 2^29 - 1");
  CHECK(read_all("\x0b") == "here: field 1 at byte 0 has wire type 3; supported are 0, 1, 2 and 5");
}

TEST_CASE("SentencePiece: malformed models") {
  const TemporaryFolder folder;
  const std::string path = folder.file("tokenizer.model");
  const auto check = [&](const std::string& model, absl::StatusCode code, const std::string& says) {
    WriteText(path, model);
    CheckRefused(path, code, says);
  };
  WriteText(path, SoundPieces());
  CHECK(Load(path)->Encode("aa") == std::vector<int32_t>{4, 3, 3});
  check(SoundPieces() + PieceField("", 0, 1), kInvalid, "pieces[5].piece is empty");
  check(SoundPieces() + PieceField("\xff", 0, 1), kInvalid, "pieces[5].piece is not valid UTF-8");
  check(SoundPieces() + PieceField("b", 1.0f / 0.0f, 1), kInvalid, "pieces[5].score is not a finite number");
  check(SoundPieces() + PieceField("b", 0, 7), kInvalid, "pieces[5].type is 7");
  check(SoundPieces() + PieceField("b", 0, 0), kInvalid, "pieces[5].type is 0");
  check(SoundPieces() + PieceField("a", 0, 1), kInvalid, "pieces[5] is 5, but \"a\" is token 3 already");
  check(SoundPieces() + PieceField("0x41", 0, 6), kInvalid, "pieces[5] is a byte spelled \"0x41\"");
  check(SoundPieces() + PieceField(std::string(5000, 'x'), 0, 1), kInvalid, "at most 4096");
  check(SoundPieces() + PieceField(std::string(2000, 'x'), 0, 4), kInvalid, "at most 1024");
  check(SoundPieces() + Bytes(2, Integer(3, 3)), kUnsupported, "model_type is word; supported are unigram and bpe");
  check(SoundPieces() + Bytes(2, Integer(3, 4)), kUnsupported, "model_type is char");
  check(SoundPieces() + Bytes(2, Integer(3, 9)), kInvalid, "model_type is 9");
  check(SoundPieces() + Bytes(2, Bytes(3, "x")), kInvalid, "trainer_spec: field 3");
  check(SoundPieces() + Integer(1, 5), kInvalid, "wire type 0; it must be 2 (bytes)");
  check(SoundPieces() + Bytes(3, Bytes(2, "abc")), kInvalid, "precompiled_charsmap: a table of 3 bytes");
  check(SoundPieces() + Bytes(3, Bytes(2, Uint32(0xfffffffc) + "abcd")), kInvalid,
        "the trie has 4294967292 bytes of 4");
  check("\n", kInvalid, "cut off");
  check(Bytes(2, ""), kUnsupported, "neither JSON nor GGUF nor a model of SentencePiece");
  check(PieceField("a", 0, 1), kInvalid, "nothing says which token begins or ends a text");
}

TEST_CASE("SentencePiece: a model that is cut off or changed anywhere is refused or encodes") {
  const TemporaryFolder folder;
  const std::string path = folder.file("tokenizer.model");
  RandomStream random(5);
  for (const std::string name : {"sp_bpe/tokenizer.model", "sp_unigram_symbols/tokenizer.model"}) {
    const std::string sound = ReadText(Fixture("tokenizers/folders/" + name));
    for (int i = 0; i < 400; ++i) {
      std::string broken = sound;
      if (i % 2 == 0) {
        broken.resize(random.Next() % sound.size());
      } else {
        for (int j = 0; j < 8; ++j) broken[random.Next() % sound.size()] = static_cast<char>(random.Next() % 256);
      }
      WriteText(path, broken);
      const auto tokenizer = LoadTokenizer(path);
      if (!tokenizer.ok()) continue;
      for (const std::string text : {"the river \u2460 e\u0301 \u65e5\u672c", "\xff\xfe a  b"}) {
        for (const int32_t id : (*tokenizer)->Encode(text)) REQUIRE(id < (*tokenizer)->vocab_size());
      }
    }
  }
}

TEST_CASE("charsmap: offsets that lead nowhere match nothing") {
  const auto parse = [](const std::string& bytes) { return Charsmap::Parse(bytes, "here"); };
  for (const std::string& bytes :
       {std::string(), std::string("abc"), Uint32(0), Uint32(3) + "abc", Uint32(8) + "abcd", Table({0}, "\xff")}) {
    CHECK_FALSE(parse(bytes).ok());
  }
  CHECK_FALSE(parse(Table({0}, std::string(2000, 'x'))).ok());
  // The root's children begin at unit 0: "a" is unit 0x61, its value unit 0x61 ^ 0x62.
  std::vector<uint32_t> units(256, 0);
  units[0x61] = 0x61 | 1u << 8 | 0x62u << 10;
  units[0x03] = 0x80000000u | 1;
  const auto sound = parse(Table(units, std::string("x\0yz", 4)));
  REQUIRE(sound.ok());
  CHECK((*sound)->Longest("b") == std::nullopt);
  REQUIRE((*sound)->Longest("ab"));
  CHECK((*sound)->Longest("ab")->length == 1);
  CHECK((*sound)->Longest("ab")->replacement == "");
  units[0x03] = 0x80000000u | 2;
  CHECK((*parse(Table(units, std::string("x\0yz", 4))))->Longest("ab")->replacement == "yz");
  for (const uint32_t value : {0x80000000u | 4, 0xffffffffu, 0x80000000u | 0x7ffffffe}) {
    units[0x03] = value;
    CHECK_FALSE((*parse(Table(units, std::string("x\0yz", 4))))->Longest("ab"));
  }
  // Into the middle of a character.
  units[0x03] = 0x80000000u | 1;
  CHECK_FALSE((*parse(Table(units, "\u00e9")))->Longest("ab"));
  // Children, and values, far outside the table.
  units[0x61] = 0x61 | 1u << 8 | 0x3fffffu << 10 | 1u << 9;
  CHECK_FALSE((*parse(Table(units, "x")))->Longest("ab"));
  CHECK_FALSE((*parse(Table({0xffffffffu}, "x")))->Longest("ab"));
  // A circle ends with the text.
  units.assign(256, 0);
  units[0x61] = 0x61 | 0x61u << 10;
  units[0] = 0;
  CHECK_FALSE((*parse(Table(units, "x")))->Longest(std::string(100000, 'a')));
  RandomStream random(3);
  for (int i = 0; i < 200; ++i) {
    for (uint32_t& unit : units) unit = static_cast<uint32_t>(random.Next());
    const auto map = parse(Table(units, "abc"));
    REQUIRE(map.ok());
    for (int byte = 1; byte < 256; ++byte) {
      const std::string text(3, static_cast<char>(byte));
      if (const auto match = (*map)->Longest(text)) CHECK(match->length <= text.size());
      if (const auto match = (*map)->Shortest(text)) CHECK(match->length <= text.size());
    }
  }
}

TEST_CASE("tokenizer.json: malformed models and steps of every kind") {
  struct Case {
    const char* kind;
    std::string member;
    json value;
    absl::StatusCode code;
    std::string says;
  };
  const std::string table = absl::Base64Escape(Uint32(400) + "x");
  const Case cases[] = {
      {"unigram", "model.vocab", json::array(), kInvalid, "model.vocab is no array of pieces or empty"},
      {"unigram", "model.vocab", json::array({json::array({"a", "b"})}), kInvalid, "model.vocab[0] is not a piece"},
      {"unigram", "model.vocab", json::array({json::array({"a", 1, 2})}), kInvalid, "model.vocab[0] is not a piece"},
      {"unigram", "model.vocab", json::array({json::array({"a", 1}), json::array({"a", 1})}), kInvalid, "is token 0"},
      {"unigram", "model.unk_id", 400, kInvalid, "model.unk_id is 400, which is no piece: there are 400"},
      {"unigram", "model.unk_id", -1, kInvalid, "model.unk_id is \"-1\"; it must be an integer"},
      {"unigram", "model.byte_fallback", "yes", kInvalid, "model.byte_fallback is neither"},
      {"unigram", "normalizer.precompiled_charsmap", "!", kInvalid, "precompiled_charsmap is not base64"},
      {"unigram", "normalizer.precompiled_charsmap", table, kInvalid, "the trie has 400 bytes of 1"},
      {"unigram", "normalizer.type", "Rot13", kUnsupported, "\"Rot13\"; supported are Sequence, BertNormalizer"},
      {"unigram", "pre_tokenizer.type", "UnicodeScripts", kUnsupported, "supported are Sequence, BertPreTokenizer"},
      {"unigram", "pre_tokenizer.prepend_scheme", "twice", kUnsupported, "supported are always, first and never"},
      {"unigram", "pre_tokenizer", {{"type", "ByteLevel"}}, kUnsupported, "with model.type BPE only"},
      {"unigram", "decoder.type", "CTC", kUnsupported, "\"CTC\"; supported are"},
      {"wordpiece", "model.type", "Charformer", kUnsupported, "supported are BPE, Unigram, WordPiece and WordLevel"},
      {"wordpiece", "model.max_input_chars_per_word", -5, kInvalid, "max_input_chars_per_word"},
      {"wordpiece", "model.max_input_chars_per_word", 1.5, kInvalid, "max_input_chars_per_word"},
      {"wordpiece", "model.continuing_subword_prefix", 5, kInvalid, "continuing_subword_prefix is not a string"},
      {"wordpiece", "normalizer.lowercase", 5, kInvalid, "normalizer.lowercase is neither true nor false"},
      {"wordpiece", "pre_tokenizer", {{"type", "CharDelimiterSplit"}, {"delimiter", "ab"}}, kInvalid, "one character"},
      {"wordpiece", "decoder", {{"type", "Strip"}, {"content", ""}}, kInvalid, "decoder.content is empty"},
      {"suffix", "model.merges", json::array({"a b c"}), kInvalid, "model.merges[0] is not two pieces"},
      {"prefix", "model.merges", json::array({json::array({"a", "##none"})}), kInvalid, "model.merges[0] is \"a\""},
      {"prefix", "model.merges", json::array({"a"}), kInvalid, "model.merges[0] is not two pieces"},
      {"suffix", "decoder.suffix", "", kInvalid, "decoder.suffix is empty"},
  };
  for (const Case& c : cases) {
    json kind = FindKind(c.kind);
    kind["changes"][c.member] = c.value;
    const TemporaryFolder folder;
    LayOut(kind, folder);
    CheckRefused(folder.path(), c.code, c.says);
  }
  json deep = {{"type", "NFC"}};
  for (int i = 0; i < 20; ++i)
    deep = {{"type", "Sequence"}, {"normalizers", json::array({deep, json{{"type", "NFD"}}})}};
  json kind = FindKind("unigram");
  kind["changes"]["normalizer"] = deep;
  CHECK_FALSE(LoadKind(kind)->Encode("the").empty());
}

TEST_CASE("vocab.json and merges.txt: malformed") {
  const TemporaryFolder folder;
  LayOut(FindKind("opt"), folder);
  const std::string merges = ReadText(folder.file("merges.txt"));
  const auto check = [&](const std::string& name, const std::string& text, absl::StatusCode code,
                         const std::string& says) {
    const std::string sound = ReadText(folder.file(name));
    WriteText(folder.file(name), text);
    CheckRefused(folder.path(), code, says);
    WriteText(folder.file(name), sound);
  };
  Load(folder.path());
  check("merges.txt", "#version: 0.2\nt h\nabc\n", kInvalid, "merges.txt: line 3 is \"abc\"");
  check("merges.txt", "#version: 0.2\nt h\na b c\n", kInvalid, "merges.txt: line 3 is \"a b c\"");
  check("merges.txt", "t \n", kInvalid, "merges.txt: line 1");
  check("merges.txt", "t " + std::string(200000, 'x') + "\n", kInvalid, "is no token");
  check("merges.txt", merges + "q q\n", kInvalid, "is \"q\" + \"q\", but \"qq\" is no token");
  check("merges.txt", "\xff \xfe\n", kInvalid, "merges.txt: not valid UTF-8");
  check("merges.txt", "", kInvalid, "merges.txt: no merges");
  check("merges.txt", "#version: 0.2\n\n", kInvalid, "merges.txt: no merges");
  check("vocab.json", "[]", kInvalid, "vocab.json: not a JSON object");
  check("vocab.json", "{\"a\":", kInvalid, "vocab.json");
  check("vocab.json", "{}", kInvalid, "is no object of pieces or empty");
  check("vocab.json", R"({"a": 99999999999})", kInvalid, "is 99999999999; ids are 0 to");
  check("tokenizer_config.json", R"({"tokenizer_class": "CTRLTokenizer"})", kUnsupported,
        "\"CTRLTokenizer\"; supported without a tokenizer.json are, with these files, GPT2Tokenizer, Bart");
  check("tokenizer_config.json", R"({"added_tokens_decoder": {"x": {"content": "y"}}})", kInvalid,
        "\"x\", which is no id");
  check("tokenizer_config.json", R"({"added_tokens_decoder": {"7": {"content": "yyy"}}})", kInvalid, "is the id of");
  check("tokenizer_config.json", R"({"added_tokens_decoder": {"16000000": {"content": "yyy"}}, "eos_token": "yyy"})",
        kInvalid, "too many ids are left out");
  check("tokenizer_config.json", R"({"add_prefix_space": 3})", kInvalid, "add_prefix_space is neither");
  // Lines may end as Windows has it, and the last may have no end.
  std::string windows;
  for (const char c : merges) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  WriteText(folder.file("merges.txt"), windows.substr(0, windows.size() - 2));
  CHECK(Load(folder.path())->Encode("the river") == LoadFixture("folders/opt")->Encode("the river"));
  std::filesystem::remove(folder.file("merges.txt"));
  CheckRefused(folder.path(), kUnsupported, "vocab.json without the file that goes with it");
}

TEST_CASE("vocab.txt and sentencepiece.bpe.model: malformed") {
  const TemporaryFolder folder;
  WriteText(folder.file("vocab.txt"), "[UNK]\n[CLS]\n[SEP]\na\nb\na\n");
  CheckRefused(folder.path(), kInvalid, "vocab.txt: line 6 is \"a\", which is there already");
  WriteText(folder.file("vocab.txt"), "");
  CheckRefused(folder.path(), kInvalid, "is no object of pieces or empty");
  WriteText(folder.file("vocab.txt"), "[UNK]\n[CLS]\n[SEP]\na\n##b");
  CHECK(Load(folder.path())->Encode("A ab c") == std::vector<int32_t>{3, 3, 4, 0});
  WriteText(folder.file("tokenizer_config.json"), R"({"tokenizer_class": "EsmTokenizer"})");
  CheckRefused(folder.path(), kUnsupported, "\"EsmTokenizer\"; supported");
  WriteText(folder.file("sentencepiece.bpe.model"), SoundPieces());
  CheckRefused(folder.path(), kUnsupported,
               "supported with this file are XGLMTokenizer, XLMRobertaTokenizer and NllbTokenizer");
  WriteText(folder.file("tokenizer_config.json"), "{}");
  WriteText(folder.file("sentencepiece.bpe.model"), PieceField("a", 0, 1));
  CheckRefused(folder.path(), kUnsupported, "do not begin with <unk>, <s> and </s>");
}

}  // namespace toolformer::testing::tokenizer_folder_hostile_test
