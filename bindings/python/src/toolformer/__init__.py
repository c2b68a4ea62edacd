"""Language models that teach themselves to use tools (arXiv 2302.04761): bindings to libtoolformer_c, by ctypes alone.

Handles free themselves, in any order: each keeps what it needs of the others. A tool is a function from a string to a
string; an exception in it is an error of the tool. `toolformer.abi` has the whole C interface and `toolformer.library()` its
functions, for what has no wrapper here.
"""

import ctypes
import math
import os
import threading
from ctypes import byref, c_void_p, sizeof

from . import abi

__all__ = ["Annotation", "Annotator", "CancelToken", "Decoder", "Error", "Generation", "Model", "Registry", "library", "version"]

_lock = threading.Lock()
_library = None


class Error(Exception):
    """What a function that failed says: `status` is one of abi.TOOLFORMER_ERROR_..., `offset` the byte of the input where
    that is known, else None."""

    def __init__(self, status, name, message, offset):
        super().__init__(f"{name}: {message}")
        self.status, self.message, self.offset = status, message, offset


def library():
    """The shared library, with types on all its functions. Loaded when first asked for: the file that the environment
    variable TOOLFORMER_LIBRARY names, or libtoolformer_c.so.1 from where the system's loader finds it."""
    global _library
    with _lock:
        if _library is None:
            loaded = ctypes.CDLL(os.environ.get("TOOLFORMER_LIBRARY") or "libtoolformer_c.so.1")
            for name, (returns, parameters) in abi.FUNCTIONS.items():
                function = getattr(loaded, name)
                function.restype, function.argtypes = returns, parameters
            error = c_void_p()
            if loaded.toolformer_check_abi(abi.TOOLFORMER_ABI_VERSION, byref(error)) != abi.TOOLFORMER_OK:
                raise _take_error(loaded, error)
            _library = loaded
        return _library


def _take_error(loaded, error):
    status = loaded.toolformer_error_status(error)
    name = loaded.toolformer_status_name(status).decode()
    offset = loaded.toolformer_error_offset(error)
    made = Error(status, name, _text(loaded.toolformer_error_message(error)), offset if offset >= 0 else None)
    loaded.toolformer_error_free(error)
    return made


def _call(name, *arguments):
    """Runs a function that can fail."""
    error = c_void_p()
    if getattr(library(), name)(*arguments, byref(error)) != abi.TOOLFORMER_OK:
        raise _take_error(library(), error)


def _make(name, *arguments):
    """Runs a function whose last argument before the error is a new handle."""
    out = c_void_p()
    _call(name, *arguments, byref(out))
    return out


def _text(view):
    return ctypes.string_at(view.data, view.size).decode("utf-8", "replace") if view.size else ""


def _view(text):
    """Of bytes that the caller must keep: the result refers to them."""
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    view = abi.toolformer_string(ctypes.cast(ctypes.c_char_p(data), ctypes.POINTER(ctypes.c_char)), len(data))
    view.kept = data
    return view


def _struct(kind, initialiser=None):
    value = kind()
    if initialiser is None:
        value.struct_size = sizeof(kind)
    else:
        getattr(library(), initialiser)(byref(value), sizeof(kind))
    return value


def version():
    """Version of the library that runs."""
    return library().toolformer_version().decode()


class _Handle:
    _free = None

    def __init__(self, handle):
        self._handle = handle

    def __del__(self):
        handle, self._handle = getattr(self, "_handle", None), None
        if handle and _library is not None:
            getattr(_library, self._free)(handle)


class CancelToken(_Handle):
    """Asks work to stop, from any thread."""

    _free = "toolformer_cancel_token_free"

    def __init__(self):
        super().__init__(_make("toolformer_cancel_token_new"))

    def cancel(self):
        library().toolformer_cancel_token_cancel(self._handle)


class Model(_Handle):
    """A .gguf file or a Hugging Face folder, on the CPU. Never changes; any number of threads may use it."""

    _free = "toolformer_model_free"

    def __init__(self, path):
        super().__init__(_make("toolformer_model_load", _view(os.fspath(path)), None))

    def encode(self, text):
        """Ids of a text, without start or end token."""
        tokenizer = _make("toolformer_model_tokenizer", self._handle)
        try:
            ids = _make("toolformer_tokenizer_encode", tokenizer, _view(text), 0)
        finally:
            library().toolformer_tokenizer_free(tokenizer)
        view = library().toolformer_tensor_ids(ids)
        found = view.data[:view.size]
        library().toolformer_tensor_free(ids)
        return found

    def logits(self, ids):
        """Logits of the token after each of `ids` (start token included): a row for each, float32. A numpy array over the
        library's own memory where numpy is there, else a list of lists."""
        numbers = (ctypes.c_int32 * len(ids))(*ids)
        wanted = (ctypes.c_int64 * len(ids))(*range(len(ids)))
        row = abi.toolformer_row(abi.toolformer_ids(numbers, len(ids)), wanted, len(ids), None)
        tensor = _Tensor(_make("toolformer_model_forward", self._handle, byref(row), 1))
        return tensor.rows()


class _Tensor(_Handle):
    _free = "toolformer_tensor_free"

    def rows(self):
        array = library().toolformer_tensor_array(self._handle)
        rows, columns = array.shape[0], array.shape[1]
        memory = (ctypes.c_float * (rows * columns)).from_address(array.data)
        memory.kept = self  # the memory lives as long as the view
        try:
            import numpy
        except ImportError:
            return [memory[i * columns:(i + 1) * columns] for i in range(rows)]
        return numpy.frombuffer(memory, dtype=numpy.float32).reshape(rows, columns)


# Closures of tools, by the number that C hands through as user_data: it keeps them from being collected.
_tools = {}
_next_tool = 1


@abi.toolformer_tool_fn
def _answer(user_data, invocation, reply):
    # No exception may leave a function that C calls.
    try:
        result = _tools[user_data](_text(library().toolformer_invocation_input(invocation)))
        return library().toolformer_reply_write(reply, _view(result))
    except BaseException as error:  # pylint: disable=broad-except
        try:
            message = _view(str(error) or type(error).__name__)
        except BaseException:  # pylint: disable=broad-except
            message = _view(type(error).__name__)  # of one that cannot say what it is
        library().toolformer_reply_fail(reply, message)
        if isinstance(error, TimeoutError):
            return abi.TOOLFORMER_ERROR_TIMEOUT
        return abi.TOOLFORMER_ERROR_IO if isinstance(error, ConnectionError) else abi.TOOLFORMER_ERROR_TOOL


@abi.toolformer_destroy_fn
def _forget(user_data):
    _tools.pop(user_data, None)


class Registry(_Handle):
    """The tools that a model may call. What is made from it has the tools that it holds then."""

    _free = "toolformer_registry_free"

    def __init__(self):
        super().__init__(_make("toolformer_registry_new"))

    def __len__(self):
        return library().toolformer_registry_count(self._handle)

    def add_builtin(self, name):
        """Adds a tool that ships with the library: "Calculator" or "Calendar"."""
        _call("toolformer_registry_add_builtin", self._handle, _view(name), None)

    def add_file(self, path):
        """Adds the tools that a JSON file declares, all or none: built-in ones, programs, HTTP services, servers of the Model Context
        Protocol. It says which programs are run, so it is to be trusted like a program."""
        _call("toolformer_registry_add_file", self._handle, _view(str(path)))

    def add(self, name, function, *, instruction="", examples=(), input_characters="", parameters=None, returns_at_once=False,
            free_of_side_effects=False, version="", deadline=0.0, max_concurrent_calls=0, max_retries=0):
        """Adds a tool: `function` answers a string with a string, or raises. It runs on any thread. `examples` are pairs of a
        text and the same text with calls; `parameters` a dict of tau_s, tau_f, k and m.

        `free_of_side_effects`: a call changes nothing that anyone could notice; annotation takes only such tools. `version` is part
        of the key under which answers are kept. `deadline`: seconds of one attempt, 0 for the executor's. `max_concurrent_calls`: 0
        for 8, -1 for no limit. `max_retries`: of a call that raises ConnectionError or TimeoutError."""
        global _next_tool
        given = _struct(abi.toolformer_tool, "toolformer_tool_init")
        numbers = _struct(abi.toolformer_parameters, "toolformer_parameters_init")
        for key, value in (parameters or {}).items():
            if key not in ("tau_s", "tau_f", "k", "m"):
                raise TypeError(f"parameters has '{key}', which is none of tau_s, tau_f, k and m")
            setattr(numbers, key, value)
        # What the struct refers to must live until the call has returned.
        words = [_view(word) for pair in [(name, instruction), (input_characters, "")] + list(examples) for word in pair]
        array = (abi.toolformer_example * len(examples))()
        for i, example in enumerate(array):
            example.input, example.output = words[4 + 2 * i], words[5 + 2 * i]
        version_view = _view(version)
        given.name, given.instruction, given.input_characters = words[:3]
        given.examples, given.example_count = array, len(array)
        given.parameters = ctypes.pointer(numbers)
        given.flags = abi.TOOLFORMER_TOOL_RETURNS_AT_ONCE if returns_at_once else 0
        given.flags |= abi.TOOLFORMER_TOOL_FREE_OF_SIDE_EFFECTS if free_of_side_effects else 0
        given.version = version_view
        given.deadline_ms = math.ceil(deadline * 1000)
        given.max_concurrent_calls, given.max_retries = max_concurrent_calls, max_retries
        with _lock:
            number, _next_tool = _next_tool, _next_tool + 1
        _tools[number] = function
        given.call, given.user_data, given.destroy = _answer, number, _forget
        _call("toolformer_registry_add", self._handle, byref(given))

    def execute(self, tool, text):
        """Runs a call of one of the tools."""
        executor = _make("toolformer_executor_new", self._handle, None)
        request = _struct(abi.toolformer_request, "toolformer_request_init")
        words = [_view(tool), _view(text)]
        request.tool, request.input = words
        try:
            result = _make("toolformer_executor_execute", executor, byref(request))
        finally:
            library().toolformer_executor_free(executor)
        answer = _text(library().toolformer_bytes_view(result))
        library().toolformer_bytes_free(result)
        return answer


class Annotation(_Handle):
    """What came of a text."""

    _free = "toolformer_annotation_free"

    @property
    def augmented_text(self):
        """The text with the kept calls and their results in place."""
        return _text(library().toolformer_annotation_augmented_text(self._handle))

    @property
    def calls(self):
        """All candidates, as dicts: tool, input, result (None on an error), error, byte_offset, gain, kept."""
        found = []
        for index in range(library().toolformer_annotation_call_count(self._handle)):
            call = _struct(abi.toolformer_judged_call)
            _call("toolformer_annotation_get_call", self._handle, index, byref(call))
            failed = call.verdict == abi.TOOLFORMER_VERDICT_TOOL_ERROR
            found.append({"tool": _text(call.tool), "input": _text(call.input), "result": None if failed else _text(call.result),
                          "error": _text(call.error), "byte_offset": call.byte_offset, "gain": call.losses.gain,
                          "kept": call.verdict == abi.TOOLFORMER_VERDICT_KEPT})
        return found

    def json(self):
        """One line of JSON."""
        made = _make("toolformer_annotation_to_json", self._handle)
        text = _text(library().toolformer_bytes_view(made))
        library().toolformer_bytes_free(made)
        return text


class Annotator(_Handle):
    """Annotates texts with all tools of a registry. One thread at a time."""

    _free = "toolformer_annotator_free"

    def __init__(self, model, registry, *, seed=0, max_call_tokens=64, exact_gains=False):
        sampler = _struct(abi.toolformer_sampler_options, "toolformer_sampler_options_init")
        sampler.seed, sampler.max_call_tokens = seed, max_call_tokens
        options = _struct(abi.toolformer_annotator_options, "toolformer_annotator_options_init")
        options.sampler, options.exact_gains = ctypes.pointer(sampler), int(exact_gains)
        super().__init__(_make("toolformer_annotator_new", model._handle, registry._handle, byref(options)))

    def annotate(self, text):
        document = _struct(abi.toolformer_document, "toolformer_document_init")
        view = _view(text)
        document.text = view
        return Annotation(_make("toolformer_annotator_annotate", self._handle, byref(document), None))


class Generation(_Handle):
    """What a prompt was continued with."""

    _free = "toolformer_generation_free"

    @property
    def text(self):
        """With calls and results in place, without the prompt."""
        return _text(library().toolformer_generation_text(self._handle))

    @property
    def plain_text(self):
        """Without calls."""
        return _text(library().toolformer_generation_plain_text(self._handle))

    @property
    def calls(self):
        """As dicts: tool, input, result (None on an error), error."""
        found = []
        for index in range(library().toolformer_generation_call_count(self._handle)):
            call = _struct(abi.toolformer_decoded_call)
            _call("toolformer_generation_get_call", self._handle, index, byref(call))
            found.append({"tool": _text(call.tool), "input": _text(call.input), "error": _text(call.error),
                          "result": None if call.failed else _text(call.result)})
        return found


class Decoder(_Handle):
    """Continues prompts with the tools of a registry. One thread at a time."""

    _free = "toolformer_decoder_free"

    def __init__(self, model, registry):
        executor = _make("toolformer_executor_new", registry._handle, None)
        try:
            super().__init__(_make("toolformer_decoder_new", model._handle, executor))
        finally:
            library().toolformer_executor_free(executor)

    def decode(self, prompt, *, in_context=False, max_new_tokens=128, on_event=None, cancel=None, timeout_ms=0):
        """`in_context`: the tools' examples stand before the prompt, for models that were not trained. `on_event(kind, text)`
        is called with pieces of the output (bytes) as they arrive; kind is one of abi.TOOLFORMER_EVENT_.... What it raises
        is raised when the call has ended."""
        options = _struct(abi.toolformer_decode_options, "toolformer_decode_options_init")
        options.tool_use = abi.TOOLFORMER_TOOLS_IN_CONTEXT if in_context else abi.TOOLFORMER_TOOLS_ENABLED
        options.max_new_tokens = max_new_tokens
        raised = []

        def record(_, kind, text, row):
            del row
            try:
                on_event(kind, ctypes.string_at(text.data, text.size))
            except BaseException as error:  # pylint: disable=broad-except
                raised.append(error)

        if on_event is not None:
            options.on_event = abi.toolformer_event_fn(record)
        options.interrupt.cancel = cancel._handle if cancel is not None else None
        options.interrupt.timeout_ms = timeout_ms
        generation = Generation(_make("toolformer_decoder_decode", self._handle, _view(prompt), byref(options)))
        if raised:
            raise raised[0]
        return generation
