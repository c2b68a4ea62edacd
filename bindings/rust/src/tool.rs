//! Tools that are closures.

use std::mem::{size_of, zeroed};
use std::os::raw::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;

use crate::{bytes, check, ffi, text, view, Registry, Result};

/// Parameters of annotation (section 4.1 of the paper).
#[derive(Debug, Clone, Copy)]
pub struct Parameters {
    /// Least opening probability of a position.
    pub tau_s: f64,
    /// Least gain of a call, in nats.
    pub tau_f: f64,
    /// Most positions of a text.
    pub k: i64,
    /// Calls sampled at a position.
    pub m: i64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { tau_s: 0.05, tau_f: 1.0, k: 5, m: 5 }
    }
}

/// A text, and the same text with calls and their results in place.
#[derive(Debug, Clone, Copy)]
pub struct Example<'a> {
    /// Without calls.
    pub input: &'a str,
    /// With calls.
    pub output: &'a str,
}

/// A call that a tool is to answer.
pub struct Invocation<'a>(&'a ffi::toolformer_invocation);

impl Invocation<'_> {
    /// What the model wrote between the parentheses: hostile by default.
    pub fn input(&self) -> String {
        unsafe { text(ffi::toolformer_invocation_input(self.0)) }
    }

    /// Whether nobody waits for the answer any more; tools that take long should look.
    pub fn interrupted(&self) -> bool {
        unsafe { ffi::toolformer_invocation_interrupted(self.0) != ffi::TOOLFORMER_OK }
    }
}

/// A tool of the host's: what teaches a model to call it, and a function that answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tool<'a> {
    /// `[A-Za-z_][A-Za-z0-9_]*`, at most 64 bytes.
    pub name: &'a str,
    /// Sentences of the prompt: what the calls are for and how one is written.
    pub instruction: &'a str,
    /// Of the prompt.
    pub examples: &'a [Example<'a>],
    /// Bytes that an input may consist of; empty: any but control characters.
    pub input_characters: &'a str,
    /// Of annotation.
    pub parameters: Parameters,
    /// True where the function returns within a millisecond: it then runs without a deadline.
    pub returns_at_once: bool,
    /// True where a call changes nothing that anyone could notice: annotation takes only such tools.
    pub free_of_side_effects: bool,
    /// Part of the key under which answers are kept; change it when answers change.
    pub version: &'a str,
    /// Of one attempt, in milliseconds; 0: the executor's.
    pub deadline_ms: u64,
    /// Calls of this tool at a time; 0: 8; -1: no limit.
    pub max_concurrent_calls: i32,
    /// How often a call may be tried again whose error says so (`ToolError::Unavailable`).
    pub max_retries: i32,
}

/// Why a tool gives no result. A text is `ToolError::Failed`.
#[derive(Debug, Clone)]
pub enum ToolError {
    /// The answer to that input is an error.
    Failed(String),
    /// What the tool asks cannot be reached now: the call may be tried again.
    Unavailable(String),
}

impl From<String> for ToolError {
    fn from(message: String) -> Self {
        ToolError::Failed(message)
    }
}

impl From<&str> for ToolError {
    fn from(message: &str) -> Self {
        ToolError::Failed(message.to_string())
    }
}

type Answer = dyn Fn(&Invocation<'_>) -> std::result::Result<String, ToolError> + Send + Sync;

// No panic may leave a function that C calls, nor one of what a panic leaves behind, which may have a `Drop` of its own.
fn contain<R>(run: impl FnOnce() -> R) -> std::result::Result<R, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let message = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(message), _) => format!("the tool panicked: {}", message),
            (_, Some(message)) => format!("the tool panicked: {}", message),
            _ => "the tool panicked".to_string(),
        };
        if let Err(second) = catch_unwind(AssertUnwindSafe(move || drop(panic))) {
            std::mem::forget(second);
        }
        message
    })
}

unsafe extern "C" fn call(
    user_data: *mut c_void,
    invocation: *const ffi::toolformer_invocation,
    reply: *mut ffi::toolformer_reply,
) -> i32 {
    let answered = contain(|| {
        let answer = &*(user_data as *const Box<Answer>);
        answer(&Invocation(&*invocation))
    });
    match answered {
        Ok(Ok(result)) => ffi::toolformer_reply_write(reply, view(&result)),
        Ok(Err(ToolError::Unavailable(error))) => {
            ffi::toolformer_reply_fail(reply, view(&error));
            ffi::TOOLFORMER_ERROR_IO
        }
        Ok(Err(ToolError::Failed(error))) | Err(error) => {
            ffi::toolformer_reply_fail(reply, view(&error));
            ffi::TOOLFORMER_ERROR_TOOL
        }
    }
}

unsafe extern "C" fn destroy(user_data: *mut c_void) {
    let answer = Box::from_raw(user_data as *mut Box<Answer>);
    let _ = contain(move || drop(answer)); // there is nobody left to tell
}

impl Registry {
    /// Adds a tool. The closure runs on any thread, several at once; what it returns as an error, or panics with, is the
    /// tool's error. It is dropped when nothing that knows the tool is left.
    pub fn add<F>(&mut self, tool: &Tool<'_>, answer: F) -> Result<()>
    where
        F: Fn(&Invocation<'_>) -> std::result::Result<String, ToolError> + Send + Sync + 'static,
    {
        let examples: Vec<ffi::toolformer_example> = tool
            .examples
            .iter()
            .map(|e| ffi::toolformer_example { input: view(e.input), output: view(e.output) })
            .collect();
        let boxed: Box<Box<Answer>> = Box::new(Box::new(answer));
        // Safety: pointers in the struct live until the call returns, but for the closure, which the library frees by
        // `destroy`, also where the call fails.
        unsafe {
            let mut parameters: ffi::toolformer_parameters = zeroed();
            ffi::toolformer_parameters_init(&mut parameters, size_of::<ffi::toolformer_parameters>());
            parameters.tau_s = tool.parameters.tau_s;
            parameters.tau_f = tool.parameters.tau_f;
            parameters.k = tool.parameters.k;
            parameters.m = tool.parameters.m;
            let mut given: ffi::toolformer_tool = zeroed();
            ffi::toolformer_tool_init(&mut given, size_of::<ffi::toolformer_tool>());
            given.name = view(tool.name);
            given.instruction = view(tool.instruction);
            given.examples = if examples.is_empty() { ptr::null() } else { examples.as_ptr() };
            given.example_count = examples.len();
            given.input_characters = view(tool.input_characters);
            given.parameters = &parameters;
            if tool.returns_at_once {
                given.flags |= ffi::TOOLFORMER_TOOL_RETURNS_AT_ONCE;
            }
            if tool.free_of_side_effects {
                given.flags |= ffi::TOOLFORMER_TOOL_FREE_OF_SIDE_EFFECTS;
            }
            given.version = view(tool.version);
            given.deadline_ms = tool.deadline_ms;
            given.max_concurrent_calls = tool.max_concurrent_calls;
            given.max_retries = tool.max_retries;
            given.call = Some(call);
            given.destroy = Some(destroy);
            given.user_data = Box::into_raw(boxed) as *mut c_void;
            check(|error| ffi::toolformer_registry_add(self.0, &given, error))
        }
    }

    /// Runs a call of one of the tools.
    pub fn execute(&self, tool: &str, input: &str) -> Result<String> {
        let mut executor = ptr::null_mut();
        check(|error| unsafe { ffi::toolformer_executor_new(self.0, ptr::null(), &mut executor, error) })?;
        // Safety: as above; the result is copied before it is freed.
        unsafe {
            let mut request: ffi::toolformer_request = zeroed();
            ffi::toolformer_request_init(&mut request, size_of::<ffi::toolformer_request>());
            request.tool = view(tool);
            request.input = view(input);
            let mut result = ptr::null_mut();
            let executed = check(|error| ffi::toolformer_executor_execute(executor, &request, &mut result, error));
            ffi::toolformer_executor_free(executor);
            executed?;
            let value = String::from_utf8_lossy(bytes(&ffi::toolformer_bytes_view(result))).into_owned();
            ffi::toolformer_bytes_free(result);
            Ok(value)
        }
    }
}
