"""Writes engine/text/unicode_table.h: what Python's str.lower() does, read out of Python itself.

usage: python3 make_unicode_table.py > engine/text/unicode_table.h
"""
import unicodedata

SIGMA = "\u03a3"
POINTS = [c for c in range(0x80, 0x110000) if not 0xD800 <= c <= 0xDFFF]


def lower_runs():
    """(first, last, step, delta) of characters whose lower case is one other character."""
    runs = []
    for c in POINTS:
        low = chr(c).lower()
        if len(low) != 1 or low == chr(c) or c == 0x3A3:
            continue
        delta = ord(low) - c
        if runs and runs[-1][3] == delta:
            first, last, step, _ = runs[-1]
            gap = c - last
            if gap <= 2 and (first == last or gap == step):
                runs[-1] = (first, c, gap, delta)
                continue
        runs.append((c, c, 1, delta))
    return runs


def case_class(c):
    """1: cased, 2: case-ignorable (what the rule of the final sigma sees), 0: neither."""
    if ("1" + chr(c) + SIGMA).lower()[-1] == "\u03c2":
        return 1
    return 2 if ("A" + chr(c) + SIGMA).lower()[-1] == "\u03c2" else 0


def class_runs():
    runs = []
    for c in [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]:
        k = case_class(c)
        if k == 0:
            continue
        if runs and runs[-1][2] == k and runs[-1][1] == c - 1:
            runs[-1] = (runs[-1][0], c, k)
        else:
            runs.append((c, c, k))
    return runs


def rows(name, type_name, items):
    print(f"inline constexpr {type_name} {name}[] = {{")
    line = "   "
    for item in items:
        text = " {" + ", ".join(hex(v) if i < 2 else str(v) for i, v in enumerate(item)) + "},"
        if len(line) + len(text) > 118:
            print(line)
            line = "   "
        line += text
    print(line)
    print("};")


longer = [c for c in POINTS if len(chr(c).lower()) != 1]
assert longer == [0x130], "only U+0130 grows: handled by hand in unicode_lower.cpp"
assert all(ord(chr(c).lower()) == c + (32 if 65 <= c <= 90 else 0) for c in range(0x80))
print("// Made by tests/support/make_unicode_table.py. Do not edit.")
print("// clang-format off")
print("#pragma once")
print("#include <cstdint>\n")
print("namespace moe::unicode {\n")
print(f'inline constexpr char version[] = "{unicodedata.unidata_version}";\n')
print("struct LowerRun { std::uint32_t first, last; std::int32_t step, delta; };")
print("struct ClassRun { std::uint32_t first, last; std::int32_t kind; };  // 1: cased, 2: case-ignorable\n")
rows("lower_runs", "LowerRun", lower_runs())
print()
rows("class_runs", "ClassRun", class_runs())
print("\n}  // namespace moe::unicode")
