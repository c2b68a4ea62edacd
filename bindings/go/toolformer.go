// Package toolformer binds libtoolformer_c: language models that teach themselves to use tools (arXiv 2302.04761).
//
// Handles free themselves when nothing refers to them any more, in whatever order; Close does it at once, and may be
// called again. Model and Registry, Annotation and Generation are for any number of goroutines; an Annotator or Decoder
// does one thing at a time and answers others with StatusBusy. A panic in a tool is an error of the tool.
package toolformer

/*
#cgo LDFLAGS: -ltoolformer_c
#include <stdlib.h>
#include <toolformer_c.h>
*/
import "C"

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"
)

// Statuses that hosts look at; the header has all of them.
const (
	StatusInvalid   = int32(C.TOOLFORMER_ERROR_INVALID)
	StatusNotFound  = int32(C.TOOLFORMER_ERROR_NOT_FOUND)
	StatusTool      = int32(C.TOOLFORMER_ERROR_TOOL)
	StatusTimeout   = int32(C.TOOLFORMER_ERROR_TIMEOUT)
	StatusCancelled = int32(C.TOOLFORMER_ERROR_CANCELLED)
	StatusBusy      = int32(C.TOOLFORMER_ERROR_BUSY)
	StatusEngine    = int32(C.TOOLFORMER_ERROR_ENGINE)
)

// Error is what a function that failed says.
type Error struct {
	Status  int32
	Message string // one line
	Offset  int64  // byte of the input, -1 where unknown
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s", C.GoString(C.toolformer_status_name(C.toolformer_status(e.Status))), e.Message)
}

func text(view C.toolformer_string) string {
	if view.size == 0 {
		return ""
	}
	return string(unsafe.Slice((*byte)(unsafe.Pointer(view.data)), int(view.size)))
}

// Takes the error object of a call that failed.
func check(status C.toolformer_status, failure *C.toolformer_error) error {
	if status == C.TOOLFORMER_OK {
		return nil
	}
	made := &Error{int32(status), text(C.toolformer_error_message(failure)), int64(C.toolformer_error_offset(failure))}
	C.toolformer_error_free(failure)
	return made
}

// Text in C's memory, for the time of a call: C structs may not refer to Go's.
type arena struct{ blocks []unsafe.Pointer }

func (a *arena) view(s string) C.toolformer_string {
	if len(s) == 0 {
		return C.toolformer_string{}
	}
	block := C.CBytes([]byte(s))
	a.blocks = append(a.blocks, block)
	return C.toolformer_string{(*C.char)(block), C.size_t(len(s))}
}

func (a *arena) allocate(size uintptr) unsafe.Pointer {
	block := C.calloc(1, C.size_t(size))
	a.blocks = append(a.blocks, block)
	return block
}

func (a *arena) free() {
	for _, block := range a.blocks {
		C.free(block)
	}
}

// handle owns a pointer of the library's until Close, or until it is collected.
type handle[T any] struct {
	mutex   sync.Mutex
	pointer *T // nil when it has been freed
	free    func(*T)
	users   int // calls that use the pointer
	closed  bool
}

func own[T any](pointer *T, free func(*T)) *handle[T] {
	h := &handle[T]{pointer: pointer, free: free}
	runtime.SetFinalizer(h, (*handle[T]).Close)
	return h
}

// Close frees what the handle holds: now, or when the calls that use it have ended. It waits for nobody, so that a tool may
// close the decoder that calls it, and may be called more than once.
func (h *handle[T]) Close() {
	runtime.SetFinalizer(h, nil)
	h.change(func() { h.closed = true })
}

// use runs a function with the pointer, nil after Close, which the library answers with StatusInvalid.
func (h *handle[T]) use(run func(*T)) {
	var pointer *T
	h.change(func() {
		h.users++
		if !h.closed {
			pointer = h.pointer
		}
	})
	defer h.change(func() { h.users-- })
	run(pointer)
}

// change frees the pointer where nobody is left who wants it.
func (h *handle[T]) change(run func()) {
	h.mutex.Lock()
	run()
	var done *T
	if h.closed && h.users == 0 {
		done, h.pointer = h.pointer, nil
	}
	h.mutex.Unlock()
	if done != nil { // what is freed with it may be a tool, which may have anything to say
		h.free(done)
	}
}

// Version of the library that runs.
func Version() string { return C.GoString(C.toolformer_version()) }

// Prepare loads libtorch, so that what is missing is said here.
func Prepare() error {
	var failure *C.toolformer_error
	if err := check(C.toolformer_check_abi(C.TOOLFORMER_ABI_VERSION, &failure), failure); err != nil {
		return err
	}
	return check(C.toolformer_prepare(&failure), failure)
}

// Model never changes; any number of goroutines may use it.
type Model struct{ *handle[C.toolformer_model] }

// Load reads a .gguf file or a Hugging Face folder, on the CPU.
func Load(path string) (*Model, error) {
	var memory arena
	defer memory.free()
	var model *C.toolformer_model
	var failure *C.toolformer_error
	if err := check(C.toolformer_model_load(memory.view(path), nil, &model, &failure), failure); err != nil {
		return nil, err
	}
	return &Model{own(model, func(m *C.toolformer_model) { C.toolformer_model_free(m) })}, nil
}

// CancelToken asks work to stop, from any goroutine.
type CancelToken struct {
	*handle[C.toolformer_cancel_token]
}

// NewCancelToken makes a request that nobody has made yet.
func NewCancelToken() (*CancelToken, error) {
	var token *C.toolformer_cancel_token
	var failure *C.toolformer_error
	if err := check(C.toolformer_cancel_token_new(&token, &failure), failure); err != nil {
		return nil, err
	}
	return &CancelToken{own(token, func(t *C.toolformer_cancel_token) { C.toolformer_cancel_token_free(t) })}, nil
}

// Cancel makes work that was given the token stop.
func (t *CancelToken) Cancel() {
	t.use(func(token *C.toolformer_cancel_token) { C.toolformer_cancel_token_cancel(token) })
}

// AnnotatorOptions says how calls are sampled; the zero value means the defaults.
type AnnotatorOptions struct {
	Seed          uint64
	MaxCallTokens int64 // 0: 64
	ExactGains    bool
}

// Annotator annotates texts with all tools of a registry.
type Annotator struct {
	*handle[C.toolformer_annotator]
}

// NewAnnotator takes the tools that the registry holds now.
func NewAnnotator(model *Model, registry *Registry, options AnnotatorOptions) (*Annotator, error) {
	var memory arena
	defer memory.free()
	sampler := (*C.toolformer_sampler_options)(memory.allocate(unsafe.Sizeof(C.toolformer_sampler_options{})))
	C.toolformer_sampler_options_init(sampler, C.size_t(unsafe.Sizeof(*sampler)))
	sampler.seed = C.uint64_t(options.Seed)
	if options.MaxCallTokens != 0 {
		sampler.max_call_tokens = C.int64_t(options.MaxCallTokens)
	}
	var given C.toolformer_annotator_options
	C.toolformer_annotator_options_init(&given, C.size_t(unsafe.Sizeof(given)))
	given.sampler = sampler
	if options.ExactGains {
		given.exact_gains = 1
	}
	var annotator *C.toolformer_annotator
	var failure *C.toolformer_error
	var err error
	model.use(func(m *C.toolformer_model) {
		registry.use(func(r *C.toolformer_registry) {
			err = check(C.toolformer_annotator_new(m, r, &given, &annotator, &failure), failure)
		})
	})
	if err != nil {
		return nil, err
	}
	return &Annotator{own(annotator, func(a *C.toolformer_annotator) { C.toolformer_annotator_free(a) })}, nil
}

// JudgedCall is a call that was proposed for a text, with what was decided about it.
type JudgedCall struct {
	Tool, Input string
	Result      string  // empty on an error of the tool
	Error       string  // of the tool
	ByteOffset  int64   // where in the text the call stands
	Gain        float64 // nats; NaN on an error of the tool
	Kept        bool
}

// Annotation is what came of a text.
type Annotation struct {
	AugmentedText string // with the kept calls and their results in place
	Calls         []JudgedCall
}

// Annotate annotates one text.
func (a *Annotator) Annotate(input string) (*Annotation, error) {
	var memory arena
	defer memory.free()
	var document C.toolformer_document
	C.toolformer_document_init(&document, C.size_t(unsafe.Sizeof(document)))
	document.text = memory.view(input)
	var annotation *C.toolformer_annotation
	var failure *C.toolformer_error
	var err error
	a.use(func(annotator *C.toolformer_annotator) {
		err = check(C.toolformer_annotator_annotate(annotator, &document, nil, &annotation, &failure), failure)
	})
	if err != nil {
		return nil, err
	}
	defer C.toolformer_annotation_free(annotation)
	made := &Annotation{AugmentedText: text(C.toolformer_annotation_augmented_text(annotation))}
	for i := C.size_t(0); i < C.toolformer_annotation_call_count(annotation); i++ {
		var call C.toolformer_judged_call
		call.struct_size = C.size_t(unsafe.Sizeof(call))
		if err := check(C.toolformer_annotation_get_call(annotation, i, &call, &failure), failure); err != nil {
			return nil, err
		}
		made.Calls = append(made.Calls, JudgedCall{text(call.tool), text(call.input), text(call.result), text(call.error),
			int64(call.byte_offset), float64(call.losses.gain), call.verdict == C.TOOLFORMER_VERDICT_KEPT})
	}
	return made, nil
}

// DecodeOptions says how a prompt is continued; the zero value means the defaults.
type DecodeOptions struct {
	InContext    bool  // the tools' examples stand before the prompt: for models that were not trained
	MaxNewTokens int64 // 0: 128
	Cancel       *CancelToken
	TimeoutMs    uint64 // 0: none
}

// DecodedCall is a call of a continuation.
type DecodedCall struct {
	Tool, Input string
	Result      string // empty on an error
	Error       string
	Failed      bool
}

// Generation is what a prompt was continued with.
type Generation struct {
	Text      string // with calls and results in place, without the prompt
	PlainText string // without calls
	Calls     []DecodedCall
}

// Decoder continues prompts with tools.
type Decoder struct{ *handle[C.toolformer_decoder] }

// NewDecoder takes the tools that the registry holds now.
func NewDecoder(model *Model, registry *Registry) (*Decoder, error) {
	executor, err := newExecutor(registry)
	if err != nil {
		return nil, err
	}
	defer C.toolformer_executor_free(executor)
	var decoder *C.toolformer_decoder
	var failure *C.toolformer_error
	model.use(func(m *C.toolformer_model) {
		err = check(C.toolformer_decoder_new(m, executor, &decoder, &failure), failure)
	})
	if err != nil {
		return nil, err
	}
	return &Decoder{own(decoder, func(d *C.toolformer_decoder) { C.toolformer_decoder_free(d) })}, nil
}

// Decode continues a prompt.
func (d *Decoder) Decode(prompt string, options DecodeOptions) (*Generation, error) {
	var memory arena
	defer memory.free()
	var given C.toolformer_decode_options
	C.toolformer_decode_options_init(&given, C.size_t(unsafe.Sizeof(given)))
	if options.InContext {
		given.tool_use = C.TOOLFORMER_TOOLS_IN_CONTEXT
	}
	if options.MaxNewTokens != 0 {
		given.max_new_tokens = C.int64_t(options.MaxNewTokens)
	}
	given.interrupt.timeout_ms = C.uint64_t(options.TimeoutMs)
	var generation *C.toolformer_generation
	var failure *C.toolformer_error
	var err error
	decode := func(decoder *C.toolformer_decoder) {
		err = check(C.toolformer_decoder_decode(decoder, memory.view(prompt), &given, &generation, &failure), failure)
	}
	if options.Cancel == nil {
		d.use(decode)
	} else {
		options.Cancel.use(func(token *C.toolformer_cancel_token) {
			if token == nil {
				err = &Error{StatusInvalid, "options.Cancel is closed", -1}
				return
			}
			given.interrupt.cancel = token
			d.use(decode)
		})
	}
	if err != nil {
		return nil, err
	}
	defer C.toolformer_generation_free(generation)
	made := &Generation{Text: text(C.toolformer_generation_text(generation)),
		PlainText: text(C.toolformer_generation_plain_text(generation))}
	for i := C.size_t(0); i < C.toolformer_generation_call_count(generation); i++ {
		var call C.toolformer_decoded_call
		call.struct_size = C.size_t(unsafe.Sizeof(call))
		if err := check(C.toolformer_generation_get_call(generation, i, &call, &failure), failure); err != nil {
			return nil, err
		}
		made.Calls = append(made.Calls,
			DecodedCall{text(call.tool), text(call.input), text(call.result), text(call.error), call.failed == 1})
	}
	return made, nil
}
