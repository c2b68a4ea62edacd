// The program of examples/c/convert.c in Go.
//
//	go run ./examples/convert MODEL.gguf
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"toolformer"
)

type unit struct {
	factor float64 // in metres or grams
	kind   byte
}

var units = map[string]unit{"km": {1000.0, 'm'}, "kilometers": {1000.0, 'm'}, "m": {1.0, 'm'}, "meters": {1.0, 'm'},
	"miles": {1609.344, 'm'}, "feet": {0.3048, 'm'}, "kg": {1000.0, 'g'}, "kilograms": {1000.0, 'g'},
	"pounds": {453.59237, 'g'}, "lbs": {453.59237, 'g'}}

var examples = []toolformer.Example{
	{Input: "The race is 5 miles long, that is 8.05 km.",
		Output: "The race is 5 miles long, that is [Convert(5 miles to km) -> 8.05] 8.05 km."},
	{Input: "The bag weighs 20 kg, or 44.09 pounds.",
		Output: "The bag weighs 20 kg, or [Convert(20 kg to pounds) -> 44.09] 44.09 pounds."},
	{Input: "At 300 m, that is 984.25 feet, the tower is tall.",
		Output: "At 300 m, that is [Convert(300 m to feet) -> 984.25] 984.25 feet, the tower is tall."},
}

var texts = []string{
	"A marathon is 26.2 miles long, that is 42.16 km.",
	"The suitcase weighs 23 kg, or 50.71 pounds, and is too heavy.",
	"The weather was fine and nobody wanted to go home.",
}

const prompt = "The lake is 12 miles long, that is"

func isNumber(text string) bool {
	return strings.Trim(text, "0123456789.") == "" && strings.Count(text, ".") <= 1 && text != "."
}

// "26.2 miles to km" -> "42.16". The input is whatever the model wrote.
func convert(input string) (string, error) {
	words := strings.Fields(input)
	if len(input) >= 64 || len(words) != 4 || words[2] != "to" || !isNumber(words[0]) {
		return "", errors.New("write it like this: 5 km to miles")
	}
	from, known := units[words[1]]
	to, alsoKnown := units[words[3]]
	if !known || !alsoKnown || from.kind != to.kind {
		return "", errors.New("not units of one kind")
	}
	value, err := strconv.ParseFloat(words[0], 64)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%.2f", value*from.factor/to.factor), nil
}

func annotate(model *toolformer.Model, registry *toolformer.Registry) error {
	annotator, err := toolformer.NewAnnotator(model, registry,
		toolformer.AnnotatorOptions{Seed: 1, MaxCallTokens: 24, ExactGains: true})
	if err != nil {
		return err
	}
	defer annotator.Close()
	for _, text := range texts {
		annotation, err := annotator.Annotate(text)
		if err != nil {
			return err
		}
		fmt.Printf("text: %s\n", annotation.AugmentedText)
		for _, call := range annotation.Calls {
			fmt.Printf("  %s(%s) at %d: ", call.Tool, call.Input, call.ByteOffset)
			switch {
			case call.Error != "":
				fmt.Printf("error: %s\n", call.Error)
			case call.Kept:
				fmt.Printf("%s, gain %.3f, kept\n", call.Result, call.Gain)
			default:
				fmt.Printf("%s, gain %.3f\n", call.Result, call.Gain)
			}
		}
	}
	return nil
}

func complete(model *toolformer.Model, registry *toolformer.Registry) error {
	decoder, err := toolformer.NewDecoder(model, registry)
	if err != nil {
		return err
	}
	defer decoder.Close()
	generation, err := decoder.Decode(prompt, toolformer.DecodeOptions{InContext: true, MaxNewTokens: 48})
	if err != nil {
		return err
	}
	fmt.Printf("prompt: %s\noutput:%s\nwithout calls:%s\n", prompt, generation.Text, generation.PlainText)
	for _, call := range generation.Calls {
		answer := call.Result
		if call.Failed {
			answer = "error: " + call.Error
		}
		fmt.Printf("  %s(%s): %s\n", call.Tool, call.Input, answer)
	}
	return nil
}

func run(path string) error {
	if err := toolformer.Prepare(); err != nil {
		return err
	}
	model, err := toolformer.Load(path)
	if err != nil {
		return err
	}
	defer model.Close()
	registry, err := toolformer.NewRegistry()
	if err != nil {
		return err
	}
	defer registry.Close()
	err = registry.Add(toolformer.Tool{
		Name: "Convert",
		Instruction: "You can convert lengths and weights by writing \"[Convert(number unit to unit)]\". The units are km, m, " +
			"miles, feet, kg and pounds.",
		Examples:          examples,
		InputCharacters:   "0123456789. abcdefghijklmnopqrstuvwxyz",
		Parameters:        &toolformer.Parameters{TauS: 0.0, TauF: 0.25, K: 3, M: 2},
		ReturnsAtOnce:     true,
		FreeOfSideEffects: true,
		Answer:            convert,
	})
	if err != nil {
		return err
	}
	fmt.Printf("toolformer %s\n", toolformer.Version())
	if err := annotate(model, registry); err != nil {
		return err
	}
	return complete(model, registry)
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: convert MODEL")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
