#pragma once
#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace moe::app {

/// One JSON object and a line end on standard output. Bytes that are no UTF-8 become U+FFFD.
void printJson(const nlohmann::ordered_json& object);

/// A line for people on standard error, above a progress bar if there is one.
void say(std::string_view message);

/// A bar on standard error, where that is a terminal; elsewhere nothing.
class Progress {
public:
    explicit Progress(std::string label);
    ~Progress();  // takes the bar away
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// `share` from 0 to 1; `note` stands at the right.
    void show(double share, const std::string& note);
    void clear();

private:
    std::string label_;
    bool terminal_ = false;
    std::size_t drawn_ = 0;  // columns
};

/// While it lives, the first Ctrl-C (or SIGTERM) is noted and nothing more; the second ends the program as usual. A
/// closed pipe behind standard output is no reason to lose what was learned, either.
class StopSignals {
public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    /// 0, or the signal's number.
    static int received();
};

/// Throws UsageError where `text`, which `what` names, is no UTF-8.
void checkUtf8(std::string_view text, std::string_view what);

/// `text` with spaces up to `width` columns, one at least.
std::string padded(std::string text, std::size_t width);

/// "4 lines", "1 line".
std::string counted(unsigned long long count, std::string_view noun);

}  // namespace moe::app
