#pragma once
#include "engine/core/settings.h"
#include "engine/text/corpus.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace moe::test {

inline std::filesystem::path lessons_folder() {
    return std::filesystem::path(MOE_TEST_DATA).parent_path() / "lessons";
}

inline std::vector<std::filesystem::path> lesson_folders() {
    std::vector<std::filesystem::path> folders;
    for (const auto& entry : std::filesystem::directory_iterator(lessons_folder()))
        if (entry.is_directory()) folders.push_back(entry.path());
    std::sort(folders.begin(), folders.end());
    return folders;
}

inline std::string read_text(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error("There is no " + path.string());
    return {std::istreambuf_iterator<char>(in), {}};
}

inline nlohmann::json read_json(const std::filesystem::path& path) {
    return nlohmann::json::parse(read_text(path));
}

inline std::vector<std::string> read_lines(const std::filesystem::path& path) {
    std::vector<std::string> lines;
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

inline void apply_settings(Experiment& experiment, const nlohmann::json& settings) {
    for (const auto& [key, value] : settings.items())
        apply_setting(experiment, key, value.is_string() ? value.get<std::string>() : value.dump());
}

inline std::shared_ptr<const Corpus> lesson_corpus(const std::filesystem::path& folder) {
    const std::string name = read_json(folder / "lesson.json").at("corpus");
    return Corpus::from_text(name, read_text(folder / name));
}

inline Experiment lesson_experiment(const std::filesystem::path& folder) {
    Experiment x;
    apply_settings(x, read_json(folder / "lesson.json").at("experiment"));
    return x;
}

}  // namespace moe::test
