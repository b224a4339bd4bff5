#include "app/cli/terminal.h"

#include "engine/core/error.h"
#include "engine/core/numbers.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <QStringDecoder>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <iostream>

namespace moe::app {

namespace {

volatile std::sig_atomic_t stop_signal = 0;

void noteSignal(int signal) {
    stop_signal = signal;
}

std::size_t terminalColumns() {
    winsize size{};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::size_t columnsOf(std::string_view utf8) {
    return std::size_t(std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

void printJson(const nlohmann::ordered_json& object) {
    std::cout << object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << std::endl;
}

void say(std::string_view message) {
    std::cerr << message << '\n';
}

Progress::Progress(std::string label) : label_(std::move(label)), terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
    clear();
}

void Progress::show(double share, const std::string& note) {
    if (!terminal_) return;
    share = std::clamp(std::isfinite(share) ? share : 0.0, 0.0, 1.0);
    const std::size_t columns = terminalColumns(), used = columnsOf(label_) + columnsOf(note) + 10;
    const std::size_t width = columns > used + 10 ? std::min<std::size_t>(columns - used, 40) : 10;
    std::string line = label_ + " [";
    for (std::size_t i = 0; i < width; ++i) line += double(i) + 0.5 < share * double(width) ? '#' : '.';
    const std::string percent = std::to_string(int(share * 100));
    line += "] " + std::string(3 - std::min<std::size_t>(percent.size(), 3), ' ') + percent + "% " + note;
    if (columnsOf(line) >= columns) line = label_ + " " + percent + "%";
    const std::size_t drawn = columnsOf(line);
    std::cerr << '\r' << line << std::string(drawn_ > drawn ? drawn_ - drawn : 0, ' ') << std::flush;
    drawn_ = drawn;
}

void Progress::clear() {
    if (drawn_ > 0) std::cerr << '\r' << std::string(drawn_, ' ') << '\r' << std::flush;
    drawn_ = 0;
}

StopSignals::StopSignals() {
    struct sigaction action {};
    action.sa_handler = noteSignal;
    action.sa_flags = int(SA_RESETHAND);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

StopSignals::~StopSignals() {
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) std::signal(signal, SIG_DFL);
}

int StopSignals::received() {
    return stop_signal;
}

void checkUtf8(std::string_view text, std::string_view what) {
    QStringDecoder decoder(QStringDecoder::Utf8);
    const QString decoded = decoder.decode(QByteArrayView(text.data(), qsizetype(text.size())));
    if (decoder.hasError() || decoded.contains(QChar::Null))
        throw UsageError(std::string(what) + " is not UTF-8 text.");
}

std::string padded(std::string text, std::size_t width) {
    const std::size_t columns = columnsOf(text);
    text.append(columns < width ? width - columns : 1, ' ');
    return text;
}

std::string counted(unsigned long long count, std::string_view noun) {
    return with_commas(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

}  // namespace moe::app
