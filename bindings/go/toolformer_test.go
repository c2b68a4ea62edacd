package toolformer

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const fixture = "../../tests/fixtures/models/llama_gqa"

func modelAndRegistry(t *testing.T) (*Model, *Registry) {
	t.Helper()
	model, err := Load(fixture)
	if err != nil {
		t.Fatal(err)
	}
	registry, err := NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	return model, registry
}

func statusOf(err error) int32 {
	var failure *Error
	if errors.As(err, &failure) {
		return failure.Status
	}
	return 0
}

func TestToolsAnswerFailAndPanic(t *testing.T) {
	_, registry := modelAndRegistry(t)
	err := registry.Add(Tool{Name: "Echo", Answer: func(input string) (string, error) {
		switch input {
		case "panic":
			panic("out of ink")
		case "fail":
			return "", errors.New("no %n")
		}
		return input + input, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if result, err := registry.Execute("Echo", "abc"); result != "abcabc" || err != nil {
		t.Error(result, err)
	}
	if _, err := registry.Execute("Echo", "fail"); statusOf(err) != StatusTool || err.Error() != "tool: no %n" {
		t.Error(err)
	}
	if _, err := registry.Execute("Echo", "panic"); statusOf(err) != StatusTool ||
		err.Error() != "tool: the tool panicked: out of ink" {
		t.Error(err)
	}
	if _, err := registry.Execute("Nobody", ""); statusOf(err) != StatusNotFound {
		t.Error(err)
	}
}

func TestToolsOfAFile(t *testing.T) {
	_, registry := modelAndRegistry(t)
	if err := registry.AddFile("../../examples/tools/tools.json"); err != nil {
		t.Fatal(err)
	}
	if result, err := registry.Execute("Roman", "14"); result != "XIV" || err != nil {
		t.Error(result, err)
	}
	if err := registry.AddFile("/nonexistent.json"); statusOf(err) != StatusNotFound {
		t.Error(err)
	}
}

func TestLimitsOfToolsArePassedOn(t *testing.T) {
	model, registry := modelAndRegistry(t)
	nothing := func(string) (string, error) { return "", nil }
	for _, tool := range []Tool{
		{Name: "T", MaxConcurrentCalls: -2, Answer: nothing},
		{Name: "T", MaxRetries: 101, Answer: nothing},
		{Name: "T", Version: strings.Repeat("1", 257), Answer: nothing},
		{Name: "T", Deadline: -time.Second, Answer: nothing},
	} {
		if err := registry.Add(tool); statusOf(err) != StatusInvalid {
			t.Error(tool, err)
		}
	}
	done := make(chan bool)
	slow := Tool{Name: "Slow", Deadline: time.Second, Answer: func(string) (string, error) {
		<-done
		return "", fmt.Errorf("gone: %w", ErrUnavailable)
	}}
	if err := registry.Add(slow); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Execute("Slow", ""); err == nil || !strings.Contains(err.Error(), "1000 ms") {
		t.Error(err)
	}
	close(done)
	if _, err := registry.Execute("Slow", "again"); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Error(err)
	}
	// Annotation takes only tools that change nothing.
	if _, err := NewAnnotator(model, registry, AnnotatorOptions{}); statusOf(err) != StatusInvalid {
		t.Error(err)
	}
}

func TestLayoutIsThatOfC(t *testing.T) {
	committed, err := os.ReadFile("../../capi/abi/layout.txt")
	if err != nil || layout() != string(committed) {
		t.Error("capi/abi/layout.txt says otherwise", err, layout())
	}
}

// Functions are let go of when the last handle that knows them is, and handles when they are collected.
func TestNothingLeaks(t *testing.T) {
	// What other tests have left.
	for i := 0; i < 100 && atomic.LoadInt64(&liveTools) != 0; i++ {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	before := atomic.LoadInt64(&liveTools)
	model, registry := modelAndRegistry(t)
	tool := Tool{Name: "Once", ReturnsAtOnce: true, Answer: func(string) (string, error) { return "", nil }}
	if err := registry.Add(tool); err != nil {
		t.Fatal(err)
	}
	if err := registry.Add(tool); statusOf(err) != StatusInvalid {
		t.Error(err)
	}
	decoder, err := NewDecoder(model, registry)
	if err != nil {
		t.Fatal(err)
	}
	registry.Close()
	registry.Close()
	model.Close()
	if live := atomic.LoadInt64(&liveTools); live != before+1 {
		t.Error(live, before)
	}
	if _, err := decoder.Decode("abc", DecodeOptions{MaxNewTokens: 3}); err != nil {
		t.Error(err)
	}
	if _, err := registry.Execute("Once", ""); statusOf(err) != StatusInvalid {
		t.Error(err)
	}
	decoder = nil
	for i := 0; i < 100 && atomic.LoadInt64(&liveTools) != before; i++ {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	if live := atomic.LoadInt64(&liveTools); live != before {
		t.Error(live, before)
	}
}

// Goroutines move between threads; errors are objects, so that nothing is lost.
func TestManyGoroutines(t *testing.T) {
	model, registry := modelAndRegistry(t)
	decoder, err := NewDecoder(model, registry)
	if err != nil {
		t.Fatal(err)
	}
	expected, err := decoder.Decode("abc", DecodeOptions{MaxNewTokens: 16})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			own, err := NewDecoder(model, registry)
			if err != nil {
				t.Error(err)
				return
			}
			for j := 0; j < 3; j++ {
				if found, err := own.Decode("abc", DecodeOptions{MaxNewTokens: 16}); err != nil || found.Text != expected.Text {
					t.Error(found, err)
				}
				runtime.Gosched()
				if _, err := Load("/nowhere"); statusOf(err) != StatusNotFound || err.(*Error).Message == "" {
					t.Error(err)
				}
			}
		}()
	}
	group.Wait()
}

func TestInterrupts(t *testing.T) {
	model, registry := modelAndRegistry(t)
	decoder, err := NewDecoder(model, registry)
	if err != nil {
		t.Fatal(err)
	}
	token, err := NewCancelToken()
	if err != nil {
		t.Fatal(err)
	}
	token.Cancel()
	if _, err := decoder.Decode("abc", DecodeOptions{Cancel: token}); statusOf(err) != StatusCancelled {
		t.Error(err)
	}
}

// A handle is freed once: not while it is in use, nor when it is collected after Close.
func TestClose(t *testing.T) {
	frees := 0
	value := 7
	h := own(&value, func(*int) { frees++ })
	h.use(func(outer *int) {
		h.Close() // as a tool may that runs inside a call
		h.use(func(inner *int) {
			if inner != nil || frees != 0 {
				t.Error("in use, and closed", inner, frees)
			}
		})
		if outer != &value || frees != 0 {
			t.Error("freed while in use")
		}
	})
	h.Close()
	if frees != 1 {
		t.Error(frees)
	}
	h = nil
	for i := 0; i < 5; i++ {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	if frees != 1 {
		t.Error("freed by the collector too")
	}
	token, err := NewCancelToken()
	if err != nil {
		t.Fatal(err)
	}
	token.Close()
	token.Cancel()
	model, registry := modelAndRegistry(t)
	decoder, err := NewDecoder(model, registry)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decoder.Decode("abc", DecodeOptions{Cancel: token}); statusOf(err) != StatusInvalid {
		t.Error(err)
	}
	decoder.Close()
	if _, err := decoder.Decode("abc", DecodeOptions{}); statusOf(err) != StatusInvalid {
		t.Error(err)
	}
}
