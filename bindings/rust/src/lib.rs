//! Language models that teach themselves to use tools (arXiv 2302.04761): safe bindings to `libtoolformer_c`.
//!
//! Handles free themselves when they are dropped, in whatever order. What never changes ([`Model`], [`Registry`] once it
//! is filled, [`Annotation`], [`Generation`]) is `Send` and `Sync`; what does one thing at a time ([`Annotator`],
//! [`Decoder`]) takes `&mut self` and is `Send`. A panic in a tool is an error of the tool.
#![warn(missing_docs)]

pub mod ffi;
mod tool;

use std::ffi::CStr;
use std::fmt;
use std::mem::{size_of, zeroed};
use std::ptr;

pub use tool::{Example, Invocation, Parameters, Tool, ToolError};

/// What a function that failed says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// One of `ffi::TOOLFORMER_ERROR_...`.
    pub status: i32,
    /// One line.
    pub message: String,
    /// Where in the input, in bytes, where that is known.
    pub offset: Option<u64>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Safety: the name is static and NUL-terminated.
        let name = unsafe { CStr::from_ptr(ffi::toolformer_status_name(self.status)) };
        write!(f, "{}: {}", name.to_string_lossy(), self.message)
    }
}

impl std::error::Error for Error {}

/// What all functions that can fail return.
pub type Result<T> = std::result::Result<T, Error>;

/// Runs a function of the C interface and takes its error, which it is given a place for.
pub(crate) fn check(call: impl FnOnce(*mut *mut ffi::toolformer_error) -> i32) -> Result<()> {
    let mut error = ptr::null_mut();
    let status = call(&mut error);
    if status == ffi::TOOLFORMER_OK {
        return Ok(());
    }
    // Safety: the error is ours, or NULL, which these functions take.
    unsafe {
        let message = text(ffi::toolformer_error_message(error));
        let offset = ffi::toolformer_error_offset(error);
        ffi::toolformer_error_free(error);
        Err(Error { status, message, offset: u64::try_from(offset).ok() })
    }
}

/// A copy. Safety: `view` must be valid.
pub(crate) unsafe fn text(view: ffi::toolformer_string) -> String {
    String::from_utf8_lossy(bytes(&view)).into_owned()
}

pub(crate) unsafe fn bytes(view: &ffi::toolformer_string) -> &[u8] {
    if view.size == 0 {
        return &[];
    }
    std::slice::from_raw_parts(view.data as *const u8, view.size)
}

pub(crate) fn view(text: &str) -> ffi::toolformer_string {
    ffi::toolformer_string { data: text.as_ptr() as *const _, size: text.len() }
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $raw:ident, $free:ident) => {
        $(#[$doc])*
        pub struct $name(pub(crate) *mut ffi::$raw);

        impl Drop for $name {
            fn drop(&mut self) {
                // Safety: the handle is ours, and this is its end.
                unsafe { ffi::$free(self.0) }
            }
        }

        // Safety: handles may be freed on any thread, and those without Sync are used by one at a time (&mut self).
        unsafe impl Send for $name {}
    };
}

handle!(
    /// A language model. Never changes; shared by all that is made from it.
    Model, toolformer_model, toolformer_model_free);
handle!(
    /// The tools that a model may call. What is made from it has the tools that it holds then.
    Registry, toolformer_registry, toolformer_registry_free);
handle!(
    /// Annotates texts with all tools of a registry.
    Annotator, toolformer_annotator, toolformer_annotator_free);
handle!(
    /// What came of a text.
    Annotation, toolformer_annotation, toolformer_annotation_free);
handle!(
    /// Continues prompts with tools.
    Decoder, toolformer_decoder, toolformer_decoder_free);
handle!(
    /// What a prompt was continued with.
    Generation, toolformer_generation, toolformer_generation_free);
handle!(
    /// Asks work to stop; clones are handles to the same request, for other threads.
    CancelToken, toolformer_cancel_token, toolformer_cancel_token_free);

// Safety: functions of the C interface that take these as const are for any number of threads at once.
unsafe impl Sync for Model {}
unsafe impl Sync for Registry {}
unsafe impl Sync for Annotation {}
unsafe impl Sync for Generation {}
unsafe impl Sync for CancelToken {}

/// Version of the library that runs.
pub fn version() -> String {
    // Safety: static and NUL-terminated.
    unsafe { CStr::from_ptr(ffi::toolformer_version()) }.to_string_lossy().into_owned()
}

/// An error where the library that runs is older than these bindings; loads libtorch otherwise, so that what is missing is
/// said here.
pub fn prepare() -> Result<()> {
    check(|error| unsafe { ffi::toolformer_check_abi(ffi::TOOLFORMER_ABI_VERSION, error) })?;
    check(|error| unsafe { ffi::toolformer_prepare(error) })
}

impl Model {
    /// Loads a `.gguf` file or a Hugging Face folder, on the CPU.
    pub fn load(path: &str) -> Result<Model> {
        let mut model = ptr::null_mut();
        check(|error| unsafe { ffi::toolformer_model_load(view(path), ptr::null(), &mut model, error) })?;
        Ok(Model(model))
    }

    /// Width of the logits.
    pub fn vocab_size(&self) -> Result<i64> {
        // Safety: zero is a value of each field.
        let mut info: ffi::toolformer_model_info = unsafe { zeroed() };
        info.struct_size = size_of::<ffi::toolformer_model_info>();
        check(|error| unsafe { ffi::toolformer_model_get_info(self.0, &mut info, error) })?;
        Ok(info.vocab_size)
    }
}

impl CancelToken {
    /// A request that nobody has made yet.
    pub fn new() -> Result<CancelToken> {
        let mut token = ptr::null_mut();
        check(|error| unsafe { ffi::toolformer_cancel_token_new(&mut token, error) })?;
        Ok(CancelToken(token))
    }

    /// A second handle to the same request.
    pub fn share(&self) -> Result<CancelToken> {
        let mut token = ptr::null_mut();
        check(|error| unsafe { ffi::toolformer_cancel_token_share(self.0, &mut token, error) })?;
        Ok(CancelToken(token))
    }

    /// Work that was given the request stops.
    pub fn cancel(&self) {
        unsafe { ffi::toolformer_cancel_token_cancel(self.0) }
    }
}

impl Registry {
    /// One without tools.
    pub fn new() -> Result<Registry> {
        let mut registry = ptr::null_mut();
        check(|error| unsafe { ffi::toolformer_registry_new(&mut registry, error) })?;
        Ok(Registry(registry))
    }

    /// Adds a tool that ships with the library: "Calculator" or "Calendar".
    pub fn add_builtin(&mut self, name: &str) -> Result<()> {
        check(|error| unsafe { ffi::toolformer_registry_add_builtin(self.0, view(name), ptr::null(), error) })
    }

    /// Adds the tools that a JSON file declares, all or none: built-in ones, programs, HTTP services, servers of the Model
    /// Context Protocol. It says which programs are run, so it is to be trusted like a program.
    pub fn add_file(&mut self, path: &str) -> Result<()> {
        check(|error| unsafe { ffi::toolformer_registry_add_file(self.0, view(path), error) })
    }

    /// Number of tools.
    pub fn len(&self) -> usize {
        unsafe { ffi::toolformer_registry_count(self.0) }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How calls are sampled.
#[derive(Debug, Clone, Copy)]
pub struct AnnotatorOptions {
    /// Of the samples.
    pub seed: u64,
    /// A call that is not closed by then is discarded.
    pub max_call_tokens: i64,
    /// Computes gains far below the threshold too.
    pub exact_gains: bool,
}

impl Default for AnnotatorOptions {
    fn default() -> Self {
        AnnotatorOptions { seed: 0, max_call_tokens: 64, exact_gains: false }
    }
}

/// A call that was proposed for a text, with what was decided about it.
#[derive(Debug, Clone)]
pub struct JudgedCall {
    /// Name of the tool.
    pub tool: String,
    /// What was asked.
    pub input: String,
    /// What the tool answered, or its error.
    pub result: std::result::Result<String, String>,
    /// Where in the text the call stands, in bytes.
    pub byte_offset: i64,
    /// How much better the model predicts what follows, in nats; NaN on an error of the tool.
    pub gain: f64,
    /// Whether it is in the augmented text.
    pub kept: bool,
}

impl Annotator {
    /// With the tools that the registry holds now.
    pub fn new(model: &Model, registry: &Registry, options: &AnnotatorOptions) -> Result<Annotator> {
        // Safety: the _init functions fill the structs; pointers in them live until the call returns.
        unsafe {
            let mut sampler: ffi::toolformer_sampler_options = zeroed();
            ffi::toolformer_sampler_options_init(&mut sampler, size_of::<ffi::toolformer_sampler_options>());
            sampler.seed = options.seed;
            sampler.max_call_tokens = options.max_call_tokens;
            let mut given: ffi::toolformer_annotator_options = zeroed();
            ffi::toolformer_annotator_options_init(&mut given, size_of::<ffi::toolformer_annotator_options>());
            given.sampler = &sampler;
            given.exact_gains = i32::from(options.exact_gains);
            let mut annotator = ptr::null_mut();
            check(|error| ffi::toolformer_annotator_new(model.0, registry.0, &given, &mut annotator, error))?;
            Ok(Annotator(annotator))
        }
    }

    /// Annotates one text.
    pub fn annotate(&mut self, text: &str) -> Result<Annotation> {
        // Safety: as above.
        unsafe {
            let mut document: ffi::toolformer_document = zeroed();
            ffi::toolformer_document_init(&mut document, size_of::<ffi::toolformer_document>());
            document.text = view(text);
            let mut annotation = ptr::null_mut();
            check(|error| {
                ffi::toolformer_annotator_annotate(self.0, &document, ptr::null(), &mut annotation, error)
            })?;
            Ok(Annotation(annotation))
        }
    }
}

impl Annotation {
    /// The text with the kept calls and their results in place.
    pub fn augmented_text(&self) -> String {
        unsafe { text(ffi::toolformer_annotation_augmented_text(self.0)) }
    }

    /// All candidates.
    pub fn calls(&self) -> Result<Vec<JudgedCall>> {
        let count = unsafe { ffi::toolformer_annotation_call_count(self.0) };
        (0..count).map(|index| self.call(index)).collect()
    }

    fn call(&self, index: usize) -> Result<JudgedCall> {
        // Safety: strings are copied while the annotation lives.
        unsafe {
            let mut call: ffi::toolformer_judged_call = zeroed();
            call.struct_size = size_of::<ffi::toolformer_judged_call>();
            check(|error| ffi::toolformer_annotation_get_call(self.0, index, &mut call, error))?;
            let failed = call.verdict == ffi::TOOLFORMER_VERDICT_TOOL_ERROR;
            Ok(JudgedCall {
                tool: text(call.tool),
                input: text(call.input),
                result: if failed { Err(text(call.error)) } else { Ok(text(call.result)) },
                byte_offset: call.byte_offset,
                gain: call.losses.gain,
                kept: call.verdict == ffi::TOOLFORMER_VERDICT_KEPT,
            })
        }
    }
}

/// How a prompt is continued.
#[derive(Clone, Copy)]
pub struct DecodeOptions<'a> {
    /// The tools' examples stand before the prompt: for models that were not trained.
    pub in_context: bool,
    /// Tokens of the model's own.
    pub max_new_tokens: i64,
    /// Stops the work.
    pub cancel: Option<&'a CancelToken>,
    /// Milliseconds; 0: none.
    pub timeout_ms: u64,
}

impl Default for DecodeOptions<'_> {
    fn default() -> Self {
        DecodeOptions { in_context: false, max_new_tokens: 128, cancel: None, timeout_ms: 0 }
    }
}

/// A call of a continuation: tool, input, and the result or the tool's error.
#[derive(Debug, Clone)]
pub struct DecodedCall {
    /// Name of the tool.
    pub tool: String,
    /// What was asked.
    pub input: String,
    /// What the tool answered, or its error.
    pub result: std::result::Result<String, String>,
}

impl Decoder {
    /// With the tools that the registry holds now.
    pub fn new(model: &Model, registry: &Registry) -> Result<Decoder> {
        let mut executor = ptr::null_mut();
        check(|error| unsafe { ffi::toolformer_executor_new(registry.0, ptr::null(), &mut executor, error) })?;
        let mut decoder = ptr::null_mut();
        let made = check(|error| unsafe { ffi::toolformer_decoder_new(model.0, executor, &mut decoder, error) });
        // Safety: the decoder keeps what it needs of it.
        unsafe { ffi::toolformer_executor_free(executor) };
        made.map(|()| Decoder(decoder))
    }

    /// Continues a prompt.
    pub fn decode(&mut self, prompt: &str, options: &DecodeOptions<'_>) -> Result<Generation> {
        // Safety: as above.
        unsafe {
            let mut given: ffi::toolformer_decode_options = zeroed();
            ffi::toolformer_decode_options_init(&mut given, size_of::<ffi::toolformer_decode_options>());
            if options.in_context {
                given.tool_use = ffi::TOOLFORMER_TOOLS_IN_CONTEXT;
            }
            given.max_new_tokens = options.max_new_tokens;
            given.interrupt.cancel = options.cancel.map_or(ptr::null(), |token| token.0);
            given.interrupt.timeout_ms = options.timeout_ms;
            let mut generation = ptr::null_mut();
            check(|error| ffi::toolformer_decoder_decode(self.0, view(prompt), &given, &mut generation, error))?;
            Ok(Generation(generation))
        }
    }
}

impl Generation {
    /// With calls and results in place, without the prompt.
    pub fn text(&self) -> String {
        unsafe { text(ffi::toolformer_generation_text(self.0)) }
    }

    /// Without calls.
    pub fn plain_text(&self) -> String {
        unsafe { text(ffi::toolformer_generation_plain_text(self.0)) }
    }

    /// In the order of the text.
    pub fn calls(&self) -> Result<Vec<DecodedCall>> {
        let count = unsafe { ffi::toolformer_generation_call_count(self.0) };
        (0..count).map(|index| self.call(index)).collect()
    }

    fn call(&self, index: usize) -> Result<DecodedCall> {
        // Safety: strings are copied while the generation lives.
        unsafe {
            let mut call: ffi::toolformer_decoded_call = zeroed();
            call.struct_size = size_of::<ffi::toolformer_decoded_call>();
            check(|error| ffi::toolformer_generation_get_call(self.0, index, &mut call, error))?;
            let result = if call.failed == 1 { Err(text(call.error)) } else { Ok(text(call.result)) };
            Ok(DecodedCall { tool: text(call.tool), input: text(call.input), result })
        }
    }
}
