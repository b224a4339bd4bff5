// What the linker cannot see: which folder may know what, and which calls are banned where numbers and files matter.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Source {
    std::string path;  // from the root: "engine/core/rng.h"
    std::vector<std::string> lines;
};

std::vector<Source> sources(std::initializer_list<const char*> folders) {
    const fs::path root = fs::path(MOE_TEST_DATA).parent_path();
    std::vector<Source> found;
    for (const char* folder : folders) {
        for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
            const std::string extension = entry.path().extension().string();
            if (extension != ".cpp" && extension != ".h" && extension != ".cu" && extension != ".cuh") continue;
            Source s{entry.path().lexically_relative(root).generic_string(), {}};
            std::ifstream file(entry.path());
            for (std::string line; std::getline(file, line);) s.lines.push_back(line);
            found.push_back(std::move(s));
        }
    }
    std::sort(found.begin(), found.end(), [](const Source& a, const Source& b) { return a.path < b.path; });
    return found;
}

bool below(const std::string& path, std::string_view folder) {
    return path.starts_with(folder);
}

/// The line without what follows `//`, so that a comment may name what the code must not do.
std::string code_of(const std::string& line) {
    const std::size_t slashes = line.find("//");
    return slashes == std::string::npos ? line : line.substr(0, slashes);
}

/// "path:line: text" for every line of the files `in` that matches.
template <class In>
std::string matches(const std::vector<Source>& files, const std::regex& pattern, In in) {
    std::string found;
    for (const Source& s : files) {
        if (!in(s.path)) continue;
        for (std::size_t i = 0; i < s.lines.size(); ++i)
            if (std::regex_search(code_of(s.lines[i]), pattern))
                found += s.path + ":" + std::to_string(i + 1) + ": " + s.lines[i] + "\n";
    }
    return found;
}

const std::string none;

}  // namespace

TEST_CASE("the searches below find what they look for") {
    const std::vector<Source> files = {{"app/x.cpp", {"int a;", "#include <QWidget>", "// #include <QLabel>"}}};
    CHECK(matches(files, std::regex("#include <Q"), [](auto&) { return true; }) == "app/x.cpp:2: #include <QWidget>\n");
    CHECK(matches(files, std::regex("#include <Q"), [](auto&) { return false; }) == none);
    CHECK(sources({"engine"}).size() > 20);
    CHECK(sources({"app"}).size() > 3);
}

TEST_CASE("no Qt under engine/") {
    const std::regex qt(R"(#\s*include\s*[<"]Q|\bQ_OBJECT\b|\bQString\b)");
    CHECK(matches(sources({"engine"}), qt, [](auto&) { return true; }) == none);
}

TEST_CASE("CUDA is asked for inside engine/backend/ alone") {
    const std::regex cuda(R"(^\s*#\s*(if|ifdef|ifndef|elif)\b.*CUDA)");
    CHECK(matches(sources({"engine", "app", "tests"}), cuda, [](auto& p) { return !below(p, "engine/backend/"); }) ==
          none);
}

TEST_CASE("Eigen is known to engine/backend/cpu/ alone") {
    const std::regex eigen(R"(#\s*include\s*[<"](Eigen|unsupported/Eigen)/)");
    CHECK(matches(sources({"engine", "app"}), eigen, [](auto& p) { return !below(p, "engine/backend/cpu/"); }) == none);
}

TEST_CASE("the app knows the engine by its session, core and formats; the command line also by verify and bench") {
    const std::regex other(R"(#\s*include\s*"engine/(?!session/|core/|formats/))");
    const std::regex other_of_cli(R"(#\s*include\s*"engine/(?!session/|core/|formats/|verify/|bench/))");
    CHECK(matches(sources({"app"}), other, [](auto& p) { return !below(p, "app/cli/"); }) == none);
    CHECK(matches(sources({"app"}), other_of_cli, [](auto& p) { return below(p, "app/cli/"); }) == none);
}

TEST_CASE("engine folders include only what stands below them") {
    // The arrows: session -> {train, formats} -> model -> layers -> routing -> backend -> core; text -> core.
    struct Rule {
        const char* folder;
        const char* forbidden;
    };
    const Rule rules[] = {
        {"engine/core/", "(?!core/)"},
        {"engine/text/", "(?!core/|text/)"},
        {"engine/backend/", "(?!core/|backend/)"},
        {"engine/routing/", "(?!core/|backend/|routing/)"},
        {"engine/layers/", "(?!core/|backend/|routing/|layers/)"},
        {"engine/model/", "(?!core/|backend/|routing/|layers/|model/)"},
        {"engine/formats/", "(?!core/|text/|formats/)"},
        {"engine/train/", "(?!core/|text/|backend/|routing/|layers/|model/|train/)"},
    };
    const std::vector<Source> files = sources({"engine"});
    for (const Rule& rule : rules) {
        CAPTURE(rule.folder);
        const std::regex pattern(std::string(R"(#\s*include\s*"engine/)") + rule.forbidden);
        CHECK(matches(files, pattern, [&](auto& p) { return below(p, rule.folder); }) == none);
    }
}

TEST_CASE("only atomic_file.cpp writes files") {
    const std::regex writes(
        R"(\bofstream\b|\bfstream\b|\bQSaveFile\b|\bQTextStream\b|\bQFile\b.*WriteOnly|QIODevice(Base)?::(WriteOnly|ReadWrite|Append)|)"
        R"(\bfopen\s*\([^,]*,\s*"[^"]*[wa+]|\bopen\s*\(.*O_(WRONLY|RDWR|CREAT)|\bcreat\s*\()");
    // A QBuffer in memory is no file: exports are made there first.
    std::string found;
    for (const Source& s : sources({"app", "engine"})) {
        if (s.path == "engine/core/atomic_file.cpp") continue;
        for (std::size_t i = 0; i < s.lines.size(); ++i) {
            const std::string code = code_of(s.lines[i]);
            if (!std::regex_search(code, writes)) continue;
            const bool in_memory = std::regex_search(code, std::regex("QIODevice(Base)?::WriteOnly")) &&
                                   code.find("QFile") == std::string::npos &&
                                   std::any_of(s.lines.begin(), s.lines.end(), [](const std::string& line) {
                                       return code_of(line).find("QBuffer") != std::string::npos;
                                   });
            if (!in_memory) found += s.path + ":" + std::to_string(i + 1) + ": " + s.lines[i] + "\n";
        }
    }
    CHECK(found == none);
}

TEST_CASE("numbers become text and text numbers without a locale") {
    const std::regex locale(
        R"(\b(strtod|strtof|strtold|atof|stod|stof|stold|sscanf|fscanf|setlocale)\s*\(|std::locale\b|)"
        R"((printf|asprintf|sprintf)\s*\([^;]*%[-+ 0-9.*]*l?[eEfFgG]\b)");
    CHECK(matches(sources({"app", "engine"}), locale, [](auto&) { return true; }) == none);

    // to_string of a whole number is the same in every locale; of a float it is not.
    const std::regex floating(R"(to_string\s*\(\s*(float|double)\b|to_string\s*\(\s*[-0-9]*\.[0-9])");
    CHECK(matches(sources({"app", "engine"}), floating, [](auto&) { return true; }) == none);
}

TEST_CASE("no random source in app/: every number on the screen comes from the engine") {
    const std::regex random(
        R"(QRandomGenerator|std::rand\b|\b(s?rand|drand48|random)\s*\(\s*\)|random_device|mt19937|engine/core/rng\.h)");
    CHECK(matches(sources({"app"}), random, [](auto&) { return true; }) == none);
}

TEST_CASE("nothing under engine/ exits or prints") {
    const std::regex prints(R"(std::c(out|err|log)\b|\b(std::)?(printf|puts|putchar|abort|exit|_exit)\s*\()");
    CHECK(matches(sources({"engine"}), prints, [](auto&) { return true; }) == none);
}

TEST_CASE("no two headers define a type of the same name: the linker would merge their inline members") {
    const std::regex definition(R"(^(class|struct|enum class) (\w+)( final)?( :[^;{]*)? *\{)");
    std::map<std::string, std::string> places;
    for (const Source& s : sources({"app", "engine"})) {
        if (!s.path.ends_with(".h")) continue;
        for (const std::string& line : s.lines) {
            std::smatch found;
            if (!std::regex_search(line, found, definition)) continue;
            const auto [other, fresh] = places.emplace(found[2], s.path);
            CHECK_MESSAGE(fresh, found[2].str() << ": " << other->second << " and " << s.path);
        }
    }
    CHECK(places.size() > 50);
}

TEST_CASE(
    "no two sources have a constant, a type or a function of one name: builds for tests compile several at a time") {
    const std::regex constant("^(static )?(constexpr|const) "), name("(\\w+)(\\[\\w*\\])? = ");
    const std::regex type("^(?:class|struct|enum|enum class) (\\w+)(?: final)?(?: :[^;]*)? \\{");
    const std::regex function(
        "^(?!return|else)[\\w\\[\\]][\\w:<>&*, \\[\\]]*[ &*](\\w+)(\\([^;]*\\)) (?:const )?(?:noexcept )?\\{$");
    const std::regex parameter("\\s*\\w+(?=\\s*[,)])");
    std::map<std::string, std::string> first;  // "engine margin": where
    std::string twice;
    for (const Source& s : sources({"app", "engine"})) {
        const bool alone = below(s.path, "app/cli/") || below(s.path, "app/export/") || below(s.path, "app/views/") ||
                           below(s.path, "engine/h5/") || below(s.path, "engine/backend/cpu/kernels");
        if (!s.path.ends_with(".cpp") || alone) continue;
        const auto once = [&](const std::string& found) {
            const auto [at, news] = first.insert({s.path.substr(0, s.path.find('/')) + " " + found, s.path});
            if (!news && at->second != s.path) twice += found + ": " + at->second + " and " + s.path + "\n";
        };
        std::smatch found;
        bool declares = false;
        for (const std::string& line : s.lines) {
            const std::string code = code_of(line);
            declares = declares || std::regex_search(code, constant);
            if (declares)
                for (auto i = std::sregex_iterator(code.begin(), code.end(), name); i != std::sregex_iterator(); ++i)
                    once((*i)[1]);
            for (const char* end : {";", "{", "R\""})
                if (code.find(end) != std::string::npos) declares = false;
            if (std::regex_search(code, found, type)) once(found[1]);
            if (std::regex_search(code, found, function))
                once(found[1].str() + std::regex_replace(found[2].str(), parameter, ""));
        }
    }
    CHECK(twice == "");
    CHECK(first.size() > 100);
}

TEST_CASE("no file over 800 lines, and the main window under 500") {
    for (const Source& s : sources({"app", "engine", "tests"})) {
        CAPTURE(s.path);
        CHECK(s.lines.size() <= 800);
        if (s.path.find("main_window") != std::string::npos) CHECK(s.lines.size() < 500);
        if (s.path == "app/main.cpp") CHECK(s.lines.size() <= 40);
    }
}

TEST_CASE("the code speaks of itself alone, and leaves nothing open") {
    const std::regex open(R"(\bTO)"
                          R"(DO\b|\bFIX)"
                          R"(ME\b|not implemented)"
                          R"( yet)");
    const std::regex machine(R"("/(home|root|farm)/)");
    std::string found;
    for (const Source& s : sources({"app", "engine", "tests"}))
        for (std::size_t i = 0; i < s.lines.size(); ++i)
            if (std::regex_search(s.lines[i], open) || std::regex_search(s.lines[i], machine))
                if (s.path.find("house_rules") == std::string::npos)
                    found += s.path + ":" + std::to_string(i + 1) + ": " + s.lines[i] + "\n";
    CHECK(found == none);
}
