// The words around passages and questions that a language model is shown.
#ifndef TOOLFORMER_SRC_ANSWER_PASSAGE_PROMPT_H_
#define TOOLFORMER_SRC_ANSWER_PASSAGE_PROMPT_H_

#include <string_view>

namespace toolformer {

// Three passages with question and answer; what follows is such a passage again.
inline constexpr std::string_view kPassageExamples =
    "Each question is answered in a few words of the text before it.\n\n"
    "Text: Henrik Ibsen > Henrik Ibsen (20 March 1828 - 23 May 1906) was a Norwegian playwright who was born in Skien. "
    "He wrote Peer Gynt in 1867 while he lived in Italy.\n"
    "Question: who wrote peer gynt?\nAnswer: Henrik Ibsen\n\n"
    "Text: Hoover Dam > The dam was built between 1931 and 1936 during the Great Depression. It stands on the border "
    "between Nevada and Arizona and is 221 metres high.\n"
    "Question: when was the hoover dam finished?\nAnswer: 1936\n\n"
    "Text: Saffron > Saffron is a spice made of the flower of a crocus. Most of it is grown in Iran, and Spain and "
    "India "
    "follow at a distance.\n"
    "Question: Which country grows the most saffron?\nAnswer: Iran\n\n";

// The same questions without passages.
inline constexpr std::string_view kQuestionExamples =
    "Question: who wrote peer gynt?\nAnswer: Henrik Ibsen\n\n"
    "Question: when was the hoover dam finished?\nAnswer: 1936\n\n"
    "Question: Which country grows the most saffron?\nAnswer: Iran\n\n";

inline constexpr std::string_view kBeforePassage = "Text:";
inline constexpr std::string_view kAfterTitle = " > ";
inline constexpr std::string_view kBeforeQuestion = "Question:";
inline constexpr std::string_view kBeforeAnswer = "\nAnswer:";

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_ANSWER_PASSAGE_PROMPT_H_
