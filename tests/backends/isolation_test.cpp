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

/// Symbols by member of the engine's archive, demangled.
std::multimap<std::string, Symbol> symbols() {
    FILE* const pipe = popen(MOE_NM " -C --defined-only " MOE_ENGINE_ARCHIVE, "r");
    REQUIRE(pipe != nullptr);
    std::string text;
    char block[4096];
    for (std::size_t n; (n = fread(block, 1, sizeof block, pipe)) > 0;) text.append(block, n);
    CHECK(pclose(pipe) == 0);
    std::multimap<std::string, Symbol> found;
    std::istringstream lines(text);
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
            // Code that would run before main() chooses: none.
            CHECK(s.name.find("_GLOBAL__sub_I") == std::string::npos);
            CHECK(s.name.find("__static_initialization") == std::string::npos);
            const bool mergeable = s.kind == 'W' || s.kind == 'V' || s.kind == 'u' || s.kind == 'w' || s.kind == 'v';
            // The pointer by which exceptions find their personality routine is data, and the same in every file.
            if (!mergeable || s.name.starts_with("DW.ref.")) continue;
            CHECK(s.name.find("Eigen_" + isa + "::") != std::string::npos);
        }
    }
    CHECK(tables == 3);
}
