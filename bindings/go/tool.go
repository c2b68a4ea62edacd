package toolformer

/*
#include <stdlib.h>
#include <toolformer_c.h>

void toolformer_go_set_tool(toolformer_tool *tool, uintptr_t handle);
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"sync/atomic"
	"time"
	"unsafe"
)

// Example is a text, and the same text with calls and their results in place.
type Example struct{ Input, Output string }

// Parameters of annotation (section 4.1 of the paper).
type Parameters struct {
	TauS, TauF float64
	K, M       int64
}

// Tool teaches a model to call it; Answer answers, on any thread, several calls at once. What it returns as an error, and a
// panic in it, is the tool's error.
type Tool struct {
	Name            string // [A-Za-z_][A-Za-z0-9_]*, at most 64 bytes
	Instruction     string
	Examples        []Example
	InputCharacters string      // empty: any but control characters
	Parameters      *Parameters // nil: the defaults
	ReturnsAtOnce   bool        // within a millisecond: runs without a deadline
	// A call changes nothing that anyone could notice: annotation takes only such tools.
	FreeOfSideEffects  bool
	Version            string        // part of the key under which answers are kept; change it when answers change
	Deadline           time.Duration // of one attempt, rounded up to milliseconds; 0: the executor's
	MaxConcurrentCalls int           // 0: 8; -1: no limit
	MaxRetries         int           // of a call whose error is, or wraps, ErrUnavailable
	Answer             func(input string) (string, error)
}

// ErrUnavailable says that what a tool asks cannot be reached now: the call may be tried again.
var ErrUnavailable = errors.New("not available")

// Registry holds the tools that a model may call.
type Registry struct{ *handle[C.toolformer_registry] }

// NewRegistry makes one without tools.
func NewRegistry() (*Registry, error) {
	var registry *C.toolformer_registry
	var failure *C.toolformer_error
	if err := check(C.toolformer_registry_new(&registry, &failure), failure); err != nil {
		return nil, err
	}
	return &Registry{own(registry, func(r *C.toolformer_registry) { C.toolformer_registry_free(r) })}, nil
}

// AddBuiltin adds a tool that ships with the library: "Calculator" or "Calendar".
func (r *Registry) AddBuiltin(name string) error {
	var memory arena
	defer memory.free()
	var failure *C.toolformer_error
	var err error
	r.use(func(registry *C.toolformer_registry) {
		err = check(C.toolformer_registry_add_builtin(registry, memory.view(name), nil, &failure), failure)
	})
	return err
}

// AddFile adds the tools that a JSON file declares, all or none: built-in ones, programs, HTTP services, servers of the
// Model Context Protocol. It says which programs are run, so it is to be trusted like a program.
func (r *Registry) AddFile(path string) error {
	var memory arena
	defer memory.free()
	var failure *C.toolformer_error
	var err error
	r.use(func(registry *C.toolformer_registry) {
		err = check(C.toolformer_registry_add_file(registry, memory.view(path), &failure), failure)
	})
	return err
}

// Functions that C may still call.
var liveTools int64

// Add adds a tool. The library lets go of its function when nothing that knows the tool is left.
func (r *Registry) Add(tool Tool) error {
	var memory arena
	defer memory.free()
	given := (*C.toolformer_tool)(memory.allocate(unsafe.Sizeof(C.toolformer_tool{})))
	C.toolformer_tool_init(given, C.size_t(unsafe.Sizeof(*given)))
	given.name = memory.view(tool.Name)
	given.instruction = memory.view(tool.Instruction)
	given.input_characters = memory.view(tool.InputCharacters)
	if count := len(tool.Examples); count > 0 {
		given.examples = (*C.toolformer_example)(memory.allocate(uintptr(count) * unsafe.Sizeof(C.toolformer_example{})))
		given.example_count = C.size_t(count)
		for i, example := range unsafe.Slice(given.examples, count) {
			example.input = memory.view(tool.Examples[i].Input)
			example.output = memory.view(tool.Examples[i].Output)
			unsafe.Slice(given.examples, count)[i] = example
		}
	}
	if tool.Parameters != nil {
		given.parameters = (*C.toolformer_parameters)(memory.allocate(unsafe.Sizeof(C.toolformer_parameters{})))
		C.toolformer_parameters_init(given.parameters, C.size_t(unsafe.Sizeof(C.toolformer_parameters{})))
		given.parameters.tau_s, given.parameters.tau_f = C.double(tool.Parameters.TauS), C.double(tool.Parameters.TauF)
		given.parameters.k, given.parameters.m = C.int64_t(tool.Parameters.K), C.int64_t(tool.Parameters.M)
	}
	if tool.ReturnsAtOnce {
		given.flags |= C.TOOLFORMER_TOOL_RETURNS_AT_ONCE
	}
	if tool.FreeOfSideEffects {
		given.flags |= C.TOOLFORMER_TOOL_FREE_OF_SIDE_EFFECTS
	}
	given.version = memory.view(tool.Version)
	given.deadline_ms = C.uint64_t((tool.Deadline + time.Millisecond - 1) / time.Millisecond)
	given.max_concurrent_calls = C.int32_t(tool.MaxConcurrentCalls)
	given.max_retries = C.int32_t(tool.MaxRetries)
	// Go's memory may not be kept by C: it keeps a number. The library returns it in any case, also where it refuses.
	atomic.AddInt64(&liveTools, 1)
	C.toolformer_go_set_tool(given, C.uintptr_t(cgo.NewHandle(tool.Answer)))
	var failure *C.toolformer_error
	var err error
	r.use(func(registry *C.toolformer_registry) {
		err = check(C.toolformer_registry_add(registry, given, &failure), failure)
	})
	return err
}

// No panic may leave a function that C calls.
func answer(function func(string) (string, error), input string) (result string, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the tool panicked: %v", cause)
		}
	}()
	return function(input)
}

//export toolformerGoAnswer
func toolformerGoAnswer(number C.uintptr_t, call *C.toolformer_invocation, reply *C.toolformer_reply) C.toolformer_status {
	var memory arena
	defer memory.free()
	function := cgo.Handle(number).Value().(func(string) (string, error))
	result, err := answer(function, text(C.toolformer_invocation_input(call)))
	if err == nil {
		return C.toolformer_reply_write(reply, memory.view(result))
	}
	C.toolformer_reply_fail(reply, memory.view(err.Error()))
	if errors.Is(err, ErrUnavailable) {
		return C.TOOLFORMER_ERROR_IO
	}
	return C.TOOLFORMER_ERROR_TOOL
}

//export toolformerGoForget
func toolformerGoForget(number C.uintptr_t) {
	cgo.Handle(number).Delete()
	atomic.AddInt64(&liveTools, -1)
}

func newExecutor(registry *Registry) (*C.toolformer_executor, error) {
	var executor *C.toolformer_executor
	var failure *C.toolformer_error
	var err error
	registry.use(func(r *C.toolformer_registry) {
		err = check(C.toolformer_executor_new(r, nil, &executor, &failure), failure)
	})
	return executor, err
}

// Execute runs a call of one of the tools.
func (r *Registry) Execute(tool, input string) (string, error) {
	executor, err := newExecutor(r)
	if err != nil {
		return "", err
	}
	defer C.toolformer_executor_free(executor)
	var memory arena
	defer memory.free()
	var request C.toolformer_request
	C.toolformer_request_init(&request, C.size_t(unsafe.Sizeof(request)))
	request.tool, request.input = memory.view(tool), memory.view(input)
	var result *C.toolformer_bytes
	var failure *C.toolformer_error
	if err := check(C.toolformer_executor_execute(executor, &request, &result, &failure), failure); err != nil {
		return "", err
	}
	defer C.toolformer_bytes_free(result)
	return text(C.toolformer_bytes_view(result)), nil
}
