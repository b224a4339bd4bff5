#pragma once
#include "engine/formats/h5_program.h"
#include "engine/session/training_session.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moe::app {

/// An option of a command: with the name of its value, or a flag where that is empty.
struct Option {
    std::string_view name;   // "--out"
    std::string_view value;  // "DIR"
    std::string_view help;
    bool repeated = false;
};

class Arguments;

/// A command of `moelab`: its own file, and a line in commands().
struct Command {
    std::string_view name;     // "train"
    std::string_view summary;  // one line
    std::string_view usage;    // what follows "moelab train "
    std::string_view words;    // what words beside the options are: "TEXT..."; empty: there are none
    std::vector<Option> options;
    std::string_view notes;  // the end of its help; may be empty
    /// The process's exit code. Throws UsageError (2) and Error (1).
    int (*run)(const Arguments& arguments);
};

/// What was given to a command. Values are checked where they are asked for; what is wrong throws UsageError.
class Arguments {
public:
    /// Throws UsageError: an unknown option, a missing or a second value, a word where none is taken.
    Arguments(const Command& command, std::span<const std::string_view> given);

    bool has(std::string_view option) const { return value(option).has_value(); }
    std::optional<std::string> value(std::string_view option) const;  // the last one given
    std::vector<std::string> values(std::string_view option) const;
    std::string required(std::string_view option) const;
    std::optional<unsigned long long> whole(std::string_view option, unsigned long long low,
                                            unsigned long long high) const;
    const std::vector<std::string>& words() const { return words_; }

private:
    std::string command_;
    std::vector<std::pair<std::string_view, std::string>> values_;
    std::vector<std::string> words_;
};

/// What reads the weights of models: it lies beside this program.
H5Program h5Program();

/// --device, --precision and --threads.
BackendOptions backendOptions(const Arguments& arguments);

inline constexpr Option device_option{"--device", "auto|cpu|cuda", "where to compute (auto: the GPU, if there is one)"};
inline constexpr Option precision_option{"--precision", "float32|tf32|bf16",
                                         "on a GPU: what large products are rounded to (float32: not at all)"};
inline constexpr Option threads_option{"--threads", "N", "threads to compute with (0: all cores but one)"};
inline constexpr Option json_option{"--json", "", "where it succeeds, standard output is one JSON object"};
inline constexpr Option lessons_option{"--lessons", "DIR", "further lessons from this folder"};
inline constexpr Option model_option{"--model", "DIR|FILE", "folder that train wrote, or a .keras or .h5 file"};

}  // namespace moe::app
