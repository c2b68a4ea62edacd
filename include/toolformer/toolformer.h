// All of the public C++ API.
#ifndef TOOLFORMER_TOOLFORMER_H_
#define TOOLFORMER_TOOLFORMER_H_

#include "toolformer/annotation_report.h"
#include "toolformer/annotator.h"
#include "toolformer/augmented_text.h"
#include "toolformer/augmenting_decoder.h"
#include "toolformer/call_sampler.h"
#include "toolformer/call_syntax.h"
#include "toolformer/clock.h"
#include "toolformer/dataset_merger.h"
#include "toolformer/document.h"
#include "toolformer/document_filter.h"
#include "toolformer/evaluation_report.h"
#include "toolformer/fine_tuner.h"
#include "toolformer/interrupt.h"
#include "toolformer/loss_filter.h"
#include "toolformer/model.h"
#include "toolformer/perplexity.h"
#include "toolformer/question_suite.h"
#include "toolformer/search_documents.h"
#include "toolformer/search_index.h"
#include "toolformer/tokenizer.h"
#include "toolformer/tool.h"
#include "toolformer/tool_executor.h"
#include "toolformer/tool_registry.h"
#include "toolformer/training_report.h"
#include "toolformer/training_sequence.h"
#include "toolformer/weight_file.h"
#include "toolformer/wiki_search.h"

#endif  // TOOLFORMER_TOOLFORMER_H_
