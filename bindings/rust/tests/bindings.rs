//! What Rust adds to the C interface: ownership, threads, panics. Models are small fixtures of the project.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use toolformer::{ffi, Annotator, AnnotatorOptions, DecodeOptions, Decoder, Model, Registry, Tool, ToolError};

fn model() -> Model {
    Model::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/models/llama_gqa")).unwrap()
}

/// Whatever becomes of it, something panics.
struct Bomb;
impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the bomb is dropped");
    }
}

/// Counts how often it is dropped.
struct Counted(Arc<AtomicUsize>);
impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn layout_is_that_of_c() {
    let committed = include_str!("../../../capi/abi/layout.txt");
    assert_eq!(ffi::layout(), committed);
}

#[test]
fn tools_of_a_file() {
    let mut registry = Registry::new().unwrap();
    registry.add_file(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/tools/tools.json")).unwrap();
    assert_eq!(registry.len(), 4);
    assert_eq!(registry.execute("Roman", "14").unwrap(), "XIV");
    assert_eq!(registry.add_file("/nonexistent.json").unwrap_err().status, ffi::TOOLFORMER_ERROR_NOT_FOUND);
}

#[test]
fn tools_answer_fail_and_panic() {
    let mut registry = Registry::new().unwrap();
    let tool = Tool { name: "Echo", ..Default::default() };
    registry.add(&tool, |call| match call.input().as_str() {
        "panic" => panic!("out of {}", "ink"),
        "bomb" => std::panic::panic_any(Bomb),
        "fail" => Err("no %n".into()),
        input => Ok(input.to_uppercase()),
    }).unwrap();
    std::panic::set_hook(Box::new(|_| {}));
    assert_eq!(registry.execute("Echo", "abc").unwrap(), "ABC");
    let failed = registry.execute("Echo", "fail").unwrap_err();
    assert_eq!((failed.status, failed.message.as_str()), (ffi::TOOLFORMER_ERROR_TOOL, "no %n"));
    let panicked = registry.execute("Echo", "panic").unwrap_err();
    assert_eq!(panicked.status, ffi::TOOLFORMER_ERROR_TOOL);
    assert!(panicked.message.contains("panicked: out of ink"), "{}", panicked.message);
    assert_eq!(registry.execute("Echo", "bomb").unwrap_err().message, "the tool panicked");
    // A closure that cannot be dropped.
    let bomb = Bomb;
    let refused = Tool { name: "No name", ..Default::default() };
    assert!(registry.add(&refused, move |_| Ok(std::mem::size_of_val(&bomb).to_string())).is_err());
    let _ = std::panic::take_hook();
    assert_eq!(registry.execute("Nobody", "").unwrap_err().status, ffi::TOOLFORMER_ERROR_NOT_FOUND);
}

#[test]
fn limits_of_tools_are_passed_on() {
    let mut registry = Registry::new().unwrap();
    for (tool, text) in [
        (Tool { name: "T", max_concurrent_calls: -2, ..Default::default() }, "max_concurrent_calls"),
        (Tool { name: "T", max_retries: 101, ..Default::default() }, "max_retries"),
        (Tool { name: "T", deadline_ms: u64::MAX, ..Default::default() }, "deadline_ms"),
        (Tool { name: "T", version: &"1".repeat(257), ..Default::default() }, "version"),
    ] {
        let error = registry.add(&tool, |_| Ok(String::new())).unwrap_err();
        assert!(error.message.contains(text), "{}", error.message);
    }
    // It answers when it has seen that nobody waits, and when the test has been told.
    let (told, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (is_told, has_seen) = (told.clone(), seen.clone());
    let slow = Tool { name: "Slow", deadline_ms: 100, ..Default::default() };
    registry.add(&slow, move |call| {
        while !call.interrupted() || is_told.load(Ordering::SeqCst) == 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        has_seen.store(1, Ordering::SeqCst);
        Err(ToolError::Unavailable("gone".into()))
    }).unwrap();
    let error = registry.execute("Slow", "").unwrap_err();
    assert_eq!(error.status, ffi::TOOLFORMER_ERROR_TIMEOUT);
    assert!(error.message.contains("100 ms"), "{}", error.message);
    told.store(1, Ordering::SeqCst);
    for _ in 0..10000 {
        if seen.load(Ordering::SeqCst) == 1 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    // Annotation takes only tools that change nothing.
    assert!(Annotator::new(&model(), &registry, &AnnotatorOptions::default()).is_err());
}

#[test]
fn closures_are_dropped_once_in_any_order() {
    let drops = Arc::new(AtomicUsize::new(0));
    let tool = Tool { name: "Counted", returns_at_once: true, free_of_side_effects: true, ..Default::default() };
    let mut registry = Registry::new().unwrap();
    let counted = Counted(drops.clone());
    registry.add(&tool, move |_| Ok(counted.0.load(Ordering::SeqCst).to_string())).unwrap();
    let second = Counted(drops.clone());
    assert!(registry.add(&tool, move |_| Ok(second.0.load(Ordering::SeqCst).to_string())).is_err());
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    let model = model();
    let mut decoder = Decoder::new(&model, &registry).unwrap();
    let mut annotator = Annotator::new(&model, &registry, &AnnotatorOptions::default()).unwrap();
    drop(registry);
    drop(model);
    let generation = decoder.decode("abc", &DecodeOptions { max_new_tokens: 3, ..Default::default() }).unwrap();
    drop(decoder);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    let annotation = annotator.annotate("abc").unwrap();
    drop(annotator);
    assert_eq!(drops.load(Ordering::SeqCst), 2);
    assert!(generation.calls().unwrap().is_empty());
    assert_eq!(annotation.augmented_text(), "abc");
}

#[test]
fn one_model_serves_many_threads() {
    let model = model();
    let registry = Registry::new().unwrap();
    let expected = Decoder::new(&model, &registry).unwrap().decode("abc", &Default::default()).unwrap().text();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut decoder = Decoder::new(&model, &registry).unwrap();
                assert_eq!(decoder.decode("abc", &Default::default()).unwrap().text(), expected);
            });
        }
    });
}

#[test]
fn errors_say_what_is_wrong() {
    let error = Model::load("/nowhere").err().unwrap();
    assert_eq!(error.status, ffi::TOOLFORMER_ERROR_NOT_FOUND);
    assert!(error.to_string().starts_with("not found: "));
    assert_eq!(error.offset, None);
    let token = toolformer::CancelToken::new().unwrap();
    token.share().unwrap().cancel();
    let model = model();
    let registry = Registry::new().unwrap();
    let options = DecodeOptions { cancel: Some(&token), ..Default::default() };
    let error = Decoder::new(&model, &registry).unwrap().decode("abc", &options).err().unwrap();
    assert_eq!(error.status, ffi::TOOLFORMER_ERROR_CANCELLED);
}
