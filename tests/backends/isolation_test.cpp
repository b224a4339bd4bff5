// The kernels are one source compiled three times. Were a symbol of one copy weak and of the same name as another's,
// the linker would keep one: AVX-512 where the machine has none, or SSE2 where it has more.
#include <doctest/doctest.h>

#include <cstdio>
#include <map>
#include <set>
#include <sstream>
#include <string>

namespace {

struct Symbol {
    char kind;
    std::string name;
};

std::istringstream output_of(const char* command) {
    FILE* const pipe = popen(command, "r");
    REQUIRE(pipe != nullptr);
    std::string text;
    char block[4096];
    for (std::size_t n; (n = fread(block, 1, sizeof block, pipe)) > 0;) text.append(block, n);
    CHECK(pclose(pipe) == 0);
    return std::istringstream(text);
}

/// Symbols by member of the engine's archive, demangled.
std::multimap<std::string, Symbol> symbols() {
    std::multimap<std::string, Symbol> found;
    std::istringstream lines = output_of(MOE_NM " -C --defined-only " MOE_ENGINE_ARCHIVE);
    std::string member;
    for (std::string line; std::getline(lines, line);) {
        if (line.ends_with(".o:")) member = line.substr(0, line.size() - 1);
        if (line.size() > 19 && line[16] == ' ' && line[18] == ' ') found.insert({member, {line[17], line.substr(19)}});
    }
    return found;
}

}  // namespace

TEST_CASE("no weak symbol of the kernels is shared between instruction sets, or with the rest of the program") {
    const auto all = symbols();
    std::size_t tables = 0;
    for (const std::string isa : {"baseline", "v3", "v4"}) {
        const auto [begin, end] = all.equal_range("kernels_" + isa + ".cpp.o");
        for (auto i = begin; i != end; ++i) {
            const Symbol& s = i->second;
            CAPTURE(isa);
            CAPTURE(s.name);
            tables += s.name == "moe::kernels_" + isa;
            // Code that would run before main() chooses: none, but for the set that runs anywhere (Eigen's constants,
            // where sanitizers keep them).
            CHECK((isa == "baseline" || s.name.find("_GLOBAL__sub_I") == std::string::npos));
            CHECK((isa == "baseline" || s.name.find("__static_initialization") == std::string::npos));
            const bool mergeable = s.kind == 'W' || s.kind == 'V' || s.kind == 'u' || s.kind == 'w' || s.kind == 'v';
            // The pointer by which exceptions find their personality routine is data, and the same in every file.
            if (!mergeable || s.name.starts_with("DW.ref.")) continue;
            CHECK(s.name.find("Eigen_" + isa + "::") != std::string::npos);
        }
    }
    CHECK(tables == 3);
}

TEST_CASE("wide registers are used by the kernels of their instruction set alone, and by the probe of the bench") {
    std::set<std::string> wide;
    std::istringstream lines = output_of(MOE_OBJDUMP " -d --no-show-raw-insn " MOE_ENGINE_ARCHIVE);
    std::string member;
    for (std::string line; std::getline(lines, line);) {
        const std::size_t end = line.find(".o:");
        if (end != std::string::npos) member = line.substr(0, end + 2);
        if (line.find("%ymm") != std::string::npos || line.find("%zmm") != std::string::npos) wide.insert(member);
    }
    CHECK(wide == std::set<std::string>{"kernels_v3.cpp.o", "kernels_v4.cpp.o", "measure.cpp.o"});
}
