//! The program of examples/c/convert.c in Rust.
//!
//!     TOOLFORMER_LIB_DIR=build/release/lib cargo run --example convert -- MODEL.gguf

use toolformer::{Annotator, AnnotatorOptions, DecodeOptions, Decoder, Example, Model, Parameters, Registry, Tool};

// Name, factor in metres or grams, kind.
const UNITS: [(&str, f64, char); 10] = [
    ("km", 1000.0, 'm'),
    ("kilometers", 1000.0, 'm'),
    ("m", 1.0, 'm'),
    ("meters", 1.0, 'm'),
    ("miles", 1609.344, 'm'),
    ("feet", 0.3048, 'm'),
    ("kg", 1000.0, 'g'),
    ("kilograms", 1000.0, 'g'),
    ("pounds", 453.59237, 'g'),
    ("lbs", 453.59237, 'g'),
];

const EXAMPLES: [Example<'_>; 3] = [
    Example {
        input: "The race is 5 miles long, that is 8.05 km.",
        output: "The race is 5 miles long, that is [Convert(5 miles to km) -> 8.05] 8.05 km.",
    },
    Example {
        input: "The bag weighs 20 kg, or 44.09 pounds.",
        output: "The bag weighs 20 kg, or [Convert(20 kg to pounds) -> 44.09] 44.09 pounds.",
    },
    Example {
        input: "At 300 m, that is 984.25 feet, the tower is tall.",
        output: "At 300 m, that is [Convert(300 m to feet) -> 984.25] 984.25 feet, the tower is tall.",
    },
];

const TEXTS: [&str; 3] = [
    "A marathon is 26.2 miles long, that is 42.16 km.",
    "The suitcase weighs 23 kg, or 50.71 pounds, and is too heavy.",
    "The weather was fine and nobody wanted to go home.",
];

const PROMPT: &str = "The lake is 12 miles long, that is";

fn is_number(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || c == '.')
        && text.chars().any(|c| c.is_ascii_digit())
        && text.matches('.').count() <= 1
}

/// "26.2 miles to km" -> "42.16". The input is whatever the model wrote.
fn convert(input: &str) -> Result<String, String> {
    let words: Vec<&str> = input.split_whitespace().collect();
    if input.len() >= 64 || words.len() != 4 || words[2] != "to" || !is_number(words[0]) {
        return Err("write it like this: 5 km to miles".to_string());
    }
    let find = |name: &str| UNITS.iter().find(|unit| unit.0 == name);
    match (words[0].parse::<f64>(), find(words[1]), find(words[3])) {
        (Ok(value), Some(from), Some(to)) if from.2 == to.2 => Ok(format!("{:.2}", value * from.1 / to.1)),
        _ => Err("not units of one kind".to_string()),
    }
}

fn annotate(model: &Model, registry: &Registry) -> toolformer::Result<()> {
    let options = AnnotatorOptions { seed: 1, max_call_tokens: 24, exact_gains: true };
    let mut annotator = Annotator::new(model, registry, &options)?;
    for text in TEXTS {
        let annotation = annotator.annotate(text)?;
        println!("text: {}", annotation.augmented_text());
        for call in annotation.calls()? {
            print!("  {}({}) at {}: ", call.tool, call.input, call.byte_offset);
            match call.result {
                Ok(result) => println!("{}, gain {:.3}{}", result, call.gain, if call.kept { ", kept" } else { "" }),
                Err(error) => println!("error: {}", error),
            }
        }
    }
    Ok(())
}

fn complete(model: &Model, registry: &Registry) -> toolformer::Result<()> {
    let mut decoder = Decoder::new(model, registry)?;
    let options = DecodeOptions { in_context: true, max_new_tokens: 48, ..Default::default() };
    let generation = decoder.decode(PROMPT, &options)?;
    println!("prompt: {}", PROMPT);
    println!("output:{}", generation.text());
    println!("without calls:{}", generation.plain_text());
    for call in generation.calls()? {
        match call.result {
            Ok(result) => println!("  {}({}): {}", call.tool, call.input, result),
            Err(error) => println!("  {}({}): error: {}", call.tool, call.input, error),
        }
    }
    Ok(())
}

fn run(path: &str) -> toolformer::Result<()> {
    toolformer::prepare()?;
    let model = Model::load(path)?;
    let mut registry = Registry::new()?;
    let tool = Tool {
        name: "Convert",
        instruction: "You can convert lengths and weights by writing \"[Convert(number unit to unit)]\". The units are \
                      km, m, miles, feet, kg and pounds.",
        examples: &EXAMPLES,
        input_characters: "0123456789. abcdefghijklmnopqrstuvwxyz",
        parameters: Parameters { tau_s: 0.0, tau_f: 0.25, k: 3, m: 2 },
        returns_at_once: true,
        free_of_side_effects: true,
        ..Default::default()
    };
    registry.add(&tool, |call| Ok(convert(&call.input())?))?;
    println!("toolformer {}", toolformer::version());
    annotate(&model, &registry)?;
    complete(&model, &registry)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() != 2 {
        eprintln!("usage: convert MODEL");
        std::process::exit(2);
    }
    if let Err(error) = run(&arguments[1]) {
        eprintln!("{}", error);
        std::process::exit(1);
    }
}
