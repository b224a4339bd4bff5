#include "app/cli/command.h"
#include "engine/core/error.h"
#include "engine/core/numbers.h"

#include <algorithm>
#include <filesystem>

namespace moe::app {

Arguments::Arguments(const Command& command, std::span<const std::string_view> given) : command_(command.name) {
    bool options_end = false;
    for (std::size_t i = 0; i < given.size(); ++i) {
        const std::string_view word = given[i];
        if (options_end || word.size() < 2 || word.front() != '-') {
            if (command.words.empty())
                throw UsageError("'" + std::string(word) + "' is one word too many for " + command_ + ".");
            words_.emplace_back(word);
            continue;
        }
        if (word == "--") {
            options_end = true;
            continue;
        }
        const std::string_view name = word.substr(0, word.find('='));
        const auto option = std::find_if(command.options.begin(), command.options.end(),
                                         [&](const Option& o) { return o.name == name; });
        if (option == command.options.end()) throw UsageError(command_ + " has no option '" + std::string(name) + "'.");
        if (!option->repeated && has(name)) throw UsageError("The option " + std::string(name) + " is given twice.");
        const bool joined = name.size() < word.size();
        if (option->value.empty()) {
            if (joined) throw UsageError("The option " + std::string(name) + " takes no value.");
            values_.emplace_back(option->name, "");
        } else if (joined) {
            values_.emplace_back(option->name, word.substr(name.size() + 1));
        } else if (++i < given.size()) {
            values_.emplace_back(option->name, given[i]);
        } else {
            throw UsageError("The option " + std::string(name) + " needs a value: " + std::string(name) + " " +
                             std::string(option->value) + ".");
        }
    }
}

std::optional<std::string> Arguments::value(std::string_view option) const {
    const auto found = std::find_if(values_.rbegin(), values_.rend(), [&](const auto& v) { return v.first == option; });
    return found == values_.rend() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> Arguments::values(std::string_view option) const {
    std::vector<std::string> all;
    for (const auto& [name, text] : values_)
        if (name == option) all.push_back(text);
    return all;
}

std::string Arguments::required(std::string_view option) const {
    std::optional<std::string> given = value(option);
    if (!given || given->empty()) throw UsageError(command_ + " needs the option " + std::string(option) + ".");
    return *given;
}

std::optional<unsigned long long> Arguments::whole(std::string_view option, unsigned long long low,
                                                   unsigned long long high) const {
    const std::optional<std::string> given = value(option);
    if (!given) return std::nullopt;
    unsigned long long number = 0;
    if (!parse_number(*given, number) || number < low || number > high)
        throw UsageError("The option " + std::string(option) + " cannot be '" + *given +
                         "': it takes a whole number from " + std::to_string(low) + " to " + std::to_string(high) +
                         ".");
    return number;
}

H5Program h5Program() {
    std::error_code error;  // where /proc is not there, the sentence about the missing program says so
    return h5_program_beside(std::filesystem::read_symlink("/proc/self/exe", error));
}

BackendOptions backendOptions(const Arguments& arguments) {
    BackendOptions options;
    options.device = arguments.value("--device").value_or("auto");
    if (options.device != "auto" && options.device != "cpu" && options.device != "cuda")
        throw UsageError("The option --device cannot be '" + options.device + "': it takes auto, cpu or cuda.");
    options.precision = arguments.value("--precision").value_or(options.precision);
    if (options.precision != "float32" && options.precision != "tf32" && options.precision != "bf16")
        throw UsageError("The option --precision cannot be '" + options.precision +
                         "': it takes float32, tf32 or bf16.");
    options.threads = int(arguments.whole("--threads", 0, 1024).value_or(0));
    return options;
}

}  // namespace moe::app
