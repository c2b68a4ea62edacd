#!/usr/bin/env python3
"""Writes what follows from the C header alone, so that nothing that must agree with it is kept by hand:

  abi/api.json              functions, structs, handles, callbacks and constants, for authors of bindings
  abi/toolformer_c.symbols  the exported names, one a line
  abi/toolformer_c.map      the linker's version script
  src/engine_functions.inc  what the thin library asks of the engine
  src/forward.inc           the thin library's functions, which do
  src/first_sizes.inc       the sizes that structs had when they first appeared (abi/first_layout.txt, which is kept by hand)
  ../tests/capi/null_cases.inc    NULL for every pointer of every function, one at a time
  ../tests/capi/size_cases.inc    structs of all sizes for every function that takes one
  ../tests/capi/layout.inc        every field of every struct
  ../bindings/python/src/toolformer/abi.py    the interface as Python's ctypes has it
  ../bindings/rust/src/ffi.rs                 the interface as Rust has it
  ../bindings/go/layout.go                    its structs as Go has them, for a test

    capi/generate.py [--check]     --check: says what is out of date and changes nothing
"""
import argparse
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE / "include"
PARTS = ["base", "reply", "tensor", "tokenizer", "model", "tool", "annotate", "decode", "train"]
# Declared there: implemented by the thin library itself.
LOCAL_PART = "base"


def without_comments(text):
    return re.sub(r"//[^\n]*", "", text)


def one_line(text):
    return re.sub(r"\s+", " ", text).strip()


def split_declaration(declaration):
    """'const char *name' -> ('const char *', 'name')."""
    match = re.fullmatch(r"(.*?)(\w+)", one_line(declaration))
    if not match:
        raise SystemExit(f"generate.py: cannot read '{declaration}'")
    return match.group(1).strip(), match.group(2)


def parameters_of(text):
    if one_line(text) in ("", "void"):
        return []
    return [dict(zip(("type", "name"), split_declaration(part))) for part in text.split(",")]


def comment_before(text, at):
    lines = []
    for line in reversed(text[:at].rstrip("\n").split("\n")):
        if not line.startswith("//"):
            break
        lines.insert(0, line[2:].strip())
    return " ".join(lines)


def read_part(part):
    text = (INCLUDE / "toolformer_c" / f"{part}.h").read_text()
    code = without_comments(text)
    functions = []
    for match in re.finditer(r"TOOLFORMER_C_(API|CHECKED)\s+([^()]*?)(\w+)\(([^()]*)\)\s*TOOLFORMER_C_NOEXCEPT;", code):
        where = text.find(match.group(3) + "(")
        start = max(text.rfind("TOOLFORMER_C_API ", 0, where), text.rfind("TOOLFORMER_C_CHECKED ", 0, where))
        functions.append({"name": match.group(3), "returns": one_line(match.group(2)),
                          "parameters": parameters_of(match.group(4)), "part": part,
                          "comment": comment_before(text, start)})
    structs = []
    for match in re.finditer(r"typedef struct (\w+) \{(.*?)\} \1;", code, re.S):
        fields = [dict(zip(("type", "name"), split_declaration(f))) for f in match.group(2).split(";") if f.strip()]
        structs.append({"name": match.group(1), "fields": fields})
    callbacks = [{"name": m.group(2), "returns": one_line(m.group(1)), "parameters": parameters_of(m.group(3))}
                 for m in re.finditer(r"typedef ([^;{}]*?)\(\*(\w+)\)\(([^()]*)\);", code)]
    declared = re.findall(r"typedef struct (\w+) \1;", code)
    constants = {name: int(value.strip("()u")) for name, value in
                 re.findall(r"#define (TOOLFORMER_(?!C_)\w+) (\(?-?\d+u?\)?)", code)}
    expected = len(re.findall(r"TOOLFORMER_C_NOEXCEPT;", code))
    if expected != len(functions):
        raise SystemExit(f"generate.py: {part}.h declares {expected} functions, {len(functions)} were understood")
    return functions, structs, callbacks, declared, constants


def read_api():
    api = {"functions": [], "structs": [], "callbacks": [], "handles": [], "constants": {}}
    for part in PARTS:
        functions, structs, callbacks, handles, constants = read_part(part)
        api["functions"] += functions
        api["structs"] += structs
        api["callbacks"] += callbacks
        api["handles"] += handles
        api["constants"].update(constants)
    # What a function takes, gives, refuses and keeps: freeing and initialising is said once, in conventions 1 and 5.
    silent = [f["name"] for f in api["functions"] if not f["comment"] and not f["name"].endswith(("_free", "_init"))]
    if silent:
        raise SystemExit(f"generate.py: nothing is said of {', '.join(silent)}: write a comment in the header")
    return api


def forward(function):
    """One function of the thin library. Those that make something load the engine; others need it loaded already,
    since without it there is nothing that they could be given."""
    name, returns = function["name"], function["returns"]
    names = [p["name"] for p in function["parameters"]]
    parameters = ", ".join(f"{p['type']} {p['name']}" for p in function["parameters"]) or "void"
    call = f"engine->{name}({', '.join(names)})"
    if "error" in names:
        find, failed = "FindEngine(error)", "TOOLFORMER_ERROR_ENGINE"
    elif name.endswith("_init"):
        find, failed = "FindEngine(nullptr)", None
    else:
        find, failed = "LoadedEngine()", "TOOLFORMER_ERROR_INVALID" if returns == "toolformer_status" else f"{returns}{{}}"
    lines = [f"{returns} {name}({parameters}) noexcept {{", f"  const Engine* const engine = {find};"]
    if name.endswith("_init"):
        lines += ["  if (engine == nullptr) {",
                  f"    InitialiseWithoutEngine({names[0]}, {names[1]});", "  } else {", f"    {call};", "  }"]
    elif returns == "void":
        lines += [f"  if (engine != nullptr) {call};"]
    else:
        lines += [f"  return engine == nullptr ? {failed} : {call};"]
    return "\n".join(lines + ["}"])


# ---- Tests: values come from a struct `v` of valid ones, named by type ----

MAY_BE_NULL = {"options", "interrupt", "errors", "weights", "changes", "error"}
NUMBERS = {"count": "1", "index": "0", "row_count": "1", "struct_size": "sizeof(size_t)"}


def kind_of(type_name):
    """'const toolformer_model *' -> ('model', 1)."""
    bare = type_name.replace("const ", "").replace("struct ", "").replace(" ", "")
    return bare.replace("*", "").removeprefix("toolformer_"), bare.count("*")


def is_pointer(parameter):
    return "*" in parameter["type"] or parameter["type"] in BY_VALUE


RENAMED = {"case": "cases", "string": "strings", "float": "weights", "size_t": "size"}  # C has the words
BY_VALUE = {"toolformer_string": "null_string", "toolformer_ids": "null_ids", "toolformer_array": "null_array"}


def valid(parameter):
    kind, stars = kind_of(parameter["type"])
    if parameter["type"] in BY_VALUE:
        return f"v.{kind}"
    if parameter["name"] == "error":
        return "fresh_error_()"
    if stars == 2:
        return f"&v.out.{kind}"
    if stars == 1:
        return f"v.{RENAMED.get(kind, kind)}"
    return NUMBERS.get(parameter["name"], "0")


def arguments(function, replaced=None):
    return ", ".join((replaced or {}).get(p["name"]) or valid(p) for p in function["parameters"])


def null_of(parameter):
    return BY_VALUE.get(parameter["type"], "NULL")


def null_cases(function):
    name, returns = function["name"], function["returns"]
    pointers = [p for p in function["parameters"] if is_pointer(p) and p["name"] != "error"]
    has_error = any(p["name"] == "error" for p in function["parameters"])
    lines = []
    for parameter in pointers:
        if parameter["name"] in MAY_BE_NULL:
            continue
        call = f"{name}({arguments(function, {parameter['name']: null_of(parameter)})})"
        if returns == "toolformer_status" and has_error:
            lines.append(f'NULL_FAILS("{parameter["name"]}", {call})')
        elif returns == "toolformer_status" and name.startswith("toolformer_reply_"):
            lines.append(f"NULL_REFUSED({call})")
        elif returns == "void":
            lines.append(f"{call};")
        elif returns in BY_VALUE or returns.startswith("toolformer_") and returns != "toolformer_status":
            lines.append(f"NULL_IS_EMPTY({returns}, {call})")
        else:
            lines.append(f"NULL_IS_ZERO({call})")
    if has_error and pointers:
        replaced = {p["name"]: null_of(p) for p in pointers} | {"error": "NULL"}
        lines.append(f"NULL_REFUSED({name}({arguments(function, replaced)}))")
    return "".join(f"{line}\n" for line in lines)


def size_cases(api):
    sized = {s["name"] for s in api["structs"] if s["fields"][0]["name"] == "struct_size"}
    lines = []
    for function in api["functions"]:
        if function["name"].endswith("_init") or function["returns"] != "toolformer_status":
            continue
        for p in function["parameters"]:
            kind, stars = kind_of(p["type"])
            if stars != 1 or f"toolformer_{kind}" not in sized or not any(
                    q["name"] == "error" for q in function["parameters"]):
                continue
            macro = "SIZE_READ" if p["type"].startswith("const") else "SIZE_WRITTEN"
            call = f"{function['name']}({arguments(function, {p['name']: 'given'})})"
            lines.append(f"#define CALL_SIZED(given) {call}\n{macro}(toolformer_{kind}, v.{kind}, CALL_SIZED, \"{function['name']}\")\n#undef CALL_SIZED\n")
    return "".join(lines)


def first_sizes(api):
    """Structs as they first appeared: what the shortest caller has. The table only grows, by structs that are new; that fields
    stay where they were is for tests/capi/struct_test.c to see, that they stay in their order is seen here."""
    sizes, fields = {}, {}
    for line in (HERE / "abi/first_layout.txt").read_text().splitlines():
        name, _, field = line.split()[0].partition(".")
        if field:
            fields.setdefault(name, []).append(field)
        else:
            sizes[name] = int(line.split()[1])
    known = {s["name"]: [f["name"] for f in s["fields"]] for s in api["structs"]}
    for name, first in fields.items():
        if known.get(name, [])[:len(first)] != first:
            raise SystemExit(f"generate.py: {name} no longer begins with the fields that it first had: {', '.join(first)}")
    for name, names in known.items():
        if name not in sizes:
            raise SystemExit(f"generate.py: {name} is new: append its lines to abi/first_layout.txt (TOOLFORMER_WRITE_LAYOUT=1 "
                             "capi_test structs writes them to abi/layout.txt; sizes may be guessed for the first build)")
        if names[0] != "struct_size" and names != fields[name]:
            raise SystemExit(f"generate.py: {name} has no struct_size, and so never changes")
    sized = [s for s in known if known[s][0] == "struct_size"]
    return "".join(f"FIRST_SIZE({name}, {sizes[name]})\n" for name in sized)


def layout(api):
    lines = []
    for struct in api["structs"]:
        lines.append(f"STRUCT({struct['name']})\n")
        lines += [f"FIELD({struct['name']}, {field['name']})\n" for field in struct["fields"]]
    return "".join(lines)


# ---- Bindings ----

PYTHON_SCALARS = {"int32_t": "c_int32", "uint32_t": "c_uint32", "int64_t": "c_int64", "uint64_t": "c_uint64", "size_t": "c_size_t",
                  "double": "c_double", "float": "c_float", "char": "c_char", "toolformer_status": "c_int32"}
RUST_SCALARS = {"int32_t": "i32", "uint32_t": "u32", "int64_t": "i64", "uint64_t": "u64", "size_t": "usize", "double": "f64",
                "float": "f32", "char": "c_char", "void": "c_void", "toolformer_status": "toolformer_status"}


def bare_of(type_name):
    return type_name.replace("const ", "").replace("struct ", "").replace(" ", "").replace("*", "")


def python_type(type_name, structs, in_struct):
    bare, stars = bare_of(type_name), type_name.count("*")
    if stars == 0:
        return PYTHON_SCALARS.get(bare) or ("None" if bare == "void" else bare)
    if stars == 1 and bare == "char":
        return "POINTER(c_char)" if in_struct else "c_char_p"
    if stars == 1 and bare in structs:
        return f"POINTER({bare})"
    if stars == 1 and bare in PYTHON_SCALARS:
        return f"POINTER({PYTHON_SCALARS[bare]})"
    return "c_void_p" if stars == 1 else "POINTER(c_void_p)"


def python_abi(api):
    structs = {s["name"] for s in api["structs"]}
    lines = ['"""The C interface as ctypes has it. Generated by capi/generate.py from the header. Do not edit."""', "",
             "from ctypes import (CFUNCTYPE, POINTER, Structure, c_char, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t,",
             "                    c_uint32, c_uint64, c_void_p)", ""]
    lines += [f"{name} = {value}" for name, value in api["constants"].items()]
    for struct in api["structs"]:
        lines += ["", "", f"class {struct['name']}(Structure):", "    pass"]
    lines += ["", ""]
    for callback in api["callbacks"]:
        types = [callback["returns"]] + [p["type"] for p in callback["parameters"]]
        lines.append(f"{callback['name']} = CFUNCTYPE({', '.join(python_type(t, structs, False) for t in types)})")
    lines.append("")
    for struct in api["structs"]:
        fields = ", ".join(f'("{f["name"]}", {python_type(f["type"], structs, True)})' for f in struct["fields"])
        lines.append(f"{struct['name']}._fields_ = [{fields}]")
    lines += ["STRUCTS = [" + ", ".join(s["name"] for s in api["structs"]) + "]", "", "# name: (type of the result, types of the parameters)",
              "FUNCTIONS = {"]
    for function in api["functions"]:
        types = ", ".join(python_type(p["type"], structs, False) for p in function["parameters"])
        lines.append(f'    "{function["name"]}": ({python_type(function["returns"], structs, False)}, [{types}]),')
    return "\n".join(lines + ["}"]) + "\n"


def rust_type(type_name, callbacks):
    bare = bare_of(type_name)
    rust = RUST_SCALARS.get(bare, bare)
    if bare in callbacks:
        rust = f"Option<{bare}>"
    stars = type_name.count("*")
    if stars == 2:
        return f"*mut *mut {rust}"
    return f"*{'const' if type_name.startswith('const') else 'mut'} {rust}" if stars else rust


def rust_ffi(api):
    callbacks = {c["name"] for c in api["callbacks"]}
    lines = ["// The C interface. Generated by capi/generate.py from the header. Do not edit.", "#![allow(non_camel_case_types, missing_docs)]",
             "use std::os::raw::{c_char, c_void};", "", "pub type toolformer_status = i32;"]
    for name, value in api["constants"].items():
        kind = "u32" if name == "TOOLFORMER_ABI_VERSION" or name.startswith("TOOLFORMER_TOOL_") else "i32"
        lines.append(f"pub const {name}: {kind} = {value};")
    structs = {s["name"] for s in api["structs"]}
    for handle in [h for h in api["handles"] if h not in structs] + ["DLManagedTensor"]:
        lines += ["", "#[repr(C)]", f"pub struct {handle} {{", "    _private: [u8; 0],", "}"]
    for callback in api["callbacks"]:
        parameters = ", ".join(f"{p['name']}: {rust_type(p['type'], callbacks)}" for p in callback["parameters"])
        returns = "" if callback["returns"] == "void" else f" -> {rust_type(callback['returns'], callbacks)}"
        lines += ["", f"pub type {callback['name']} = unsafe extern \"C\" fn({parameters}){returns};"]
    for struct in api["structs"]:
        lines += ["", "#[repr(C)]", "#[derive(Clone, Copy)]", f"pub struct {struct['name']} {{"]
        lines += [f"    pub {f['name']}: {rust_type(f['type'], callbacks)}," for f in struct["fields"]] + ["}"]
    lines += ["", '#[link(name = "toolformer_c")]', 'extern "C" {']
    for function in api["functions"]:
        parameters = ", ".join(f"{p['name']}: {rust_type(p['type'], callbacks)}" for p in function["parameters"])
        returns = "" if function["returns"] == "void" else f" -> {rust_type(function['returns'], callbacks)}"
        lines.append(f"    pub fn {function['name']}({parameters}){returns};")
    lines += ["}", "", "/// Size and offsets of every struct, as capi/abi/layout.txt has them.", "pub fn layout() -> String {",
              "    let mut text = String::new();"]
    for struct in api["structs"]:
        name = struct["name"]
        lines.append(f'    text += &format!("{name} {{}}\\n", std::mem::size_of::<{name}>());')
        lines.append(f"    let value = std::mem::MaybeUninit::<{name}>::uninit();")
        lines.append("    let base = value.as_ptr();")
        for field in struct["fields"]:
            lines.append("    text += &field_layout(\"%s.%s\", base as usize, unsafe { std::ptr::addr_of!((*base).%s) });" %
                         (name, field["name"], field["name"]))
    return "\n".join(lines + ["    text", "}", "", "fn field_layout<T>(name: &str, base: usize, field: *const T) -> String {",
                              '    format!("{} {} {}\\n", name, field as usize - base, std::mem::size_of::<T>())', "}"]) + "\n"


def go_layout(api):
    lines = ["// Code generated by capi/generate.py from the header. DO NOT EDIT.", "", "package toolformer", "",
             "// #include <toolformer_c.h>", 'import "C"', "", "import (", '\t"fmt"', '\t"reflect"', ")", "",
             "// Size and offsets of every struct, as capi/abi/layout.txt has them.", "func layout() string {", '\tlines := ""',
             "\tfor _, value := range []interface{}{"]
    lines += [f"\t\tC.{struct['name']}{{}}," for struct in api["structs"]]
    lines += ["\t} {", "\t\tkind := reflect.TypeOf(value)", '\t\tname := kind.Name()[len("_Ctype_struct_"):]',
              '\t\tlines += fmt.Sprintf("%s %d\\n", name, kind.Size())', "\t\tfor i := 0; i < kind.NumField(); i++ {",
              "\t\t\tfield := kind.Field(i)", '\t\t\tif field.Name != "_" {',
              '\t\t\t\tlines += fmt.Sprintf("%s.%s %d %d\\n", name, field.Name, field.Offset, field.Type.Size())', "\t\t\t}",
              "\t\t}", "\t}", "\treturn lines", "}"]
    return "\n".join(lines) + "\n"


def outputs(api):
    made = "// Generated by capi/generate.py from the header. Do not edit.\n"
    names = sorted(f["name"] for f in api["functions"])
    forwarded = [f for f in api["functions"] if f["part"] != LOCAL_PART]
    return {
        "abi/api.json": json.dumps(api, indent=1) + "\n",
        "abi/toolformer_c.symbols": "".join(f"{n}\n" for n in names),
        "abi/toolformer_c.map": "# Generated by capi/generate.py from the header. Do not edit.\nTOOLFORMER_1 {\n  global:\n"
                                + "".join(f"    {n};\n" for n in names) + "  local:\n    *;\n};\n",
        "src/first_sizes.inc": made + first_sizes(api),
        "src/engine_functions.inc": made + "".join(f"F({f['name']})\n" for f in forwarded),
        "src/forward.inc": made + "\n".join(forward(f) + "\n" for f in forwarded),
        "../tests/capi/null_cases.inc": made + "".join(null_cases(f) for f in api["functions"]),
        "../tests/capi/size_cases.inc": made + size_cases(api),
        "../tests/capi/layout.inc": made + layout(api),
        "../bindings/python/src/toolformer/abi.py": python_abi(api),
        "../bindings/rust/src/ffi.rs": rust_ffi(api),
        "../bindings/go/layout.go": go_layout(api),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, text in outputs(read_api()).items():
        path = HERE / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text)
    if check and stale:
        sys.exit(f"generate.py: out of date: {', '.join(stale)}; run capi/generate.py")


if __name__ == "__main__":
    main()
