#include "app/models/device_contest.h"

#include "app/models/text_format.h"
#include "engine/core/numbers.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double factors[] = {4, 16, 64, 256, 1024, 4096};
constexpr double as_said = 1.25;  // a factor this near is the one that was meant

QString tell(const char* text) {
    return QCoreApplication::translate("DeviceContest", text);
}

QString widthText(double width) {
    return countText(std::uint64_t(std::llround(width)));
}

/// As many figures as half a second of counting can be worth, and more.
QString rateFigures(double stepsPerSecond) {
    constexpr int figures = 6;
    return QString::fromStdString(to_text(QString::number(stepsPerSecond, 'e', figures - 1).toDouble()));
}

QString timesText(double factor) {
    return factor < 10 ? QString::fromStdString(to_fixed(factor, 1)) : widthText(factor);
}

}  // namespace

QString deviceName(const DeviceInfo& device) {
    const QString kind = device.id == "cpu" ? QStringLiteral("CPU") : QStringLiteral("GPU");
    return device.title.empty() ? kind : kind + QStringLiteral(" · ") + QString::fromStdString(device.title);
}

QString rateText(double stepsPerSecond) {
    return stepsPerSecond < 10 ? QString::fromStdString(to_fixed(stepsPerSecond, 1)) : widthText(stepsPerSecond);
}

const RaceResult* DeviceContest::result(std::size_t width, const char* device) const {
    const auto found = std::ranges::find_if(
        state_.results, [&](const RaceResult& r) { return r.width == width && r.device == device; });
    return found == state_.results.end() ? nullptr : &*found;
}

std::vector<ContestLine> DeviceContest::lines() const {
    std::vector<ContestLine> lines{{QStringLiteral("cpu"), QStringLiteral("CPU"), {}},
                                   {QStringLiteral("cuda"), QStringLiteral("GPU"), {}}};
    for (ContestLine& line : lines)
        for (const RaceResult& r : state_.results)
            if (QString::fromStdString(r.device) == line.device && r.steps_per_second > 0)
                line.points.emplace_back(double(r.width), r.steps_per_second);
    return lines;
}

QString DeviceContest::nameOf(const std::string& device) const {
    const auto found = std::ranges::find(state_.devices, device, &DeviceInfo::id);
    return deviceName(found == state_.devices.end() ? DeviceInfo{device, {}, {}} : *found);
}

bool DeviceContest::two() const {
    return std::ranges::any_of(state_.results, [](const RaceResult& r) { return r.device != "cpu"; });
}

QString DeviceContest::progressText() const {
    const std::size_t devices = state_.widths.empty() ? 0 : state_.planned / state_.widths.size();
    if (!state_.running || devices == 0 || state_.devices.empty()) return {};
    const std::size_t at = std::min(state_.measured, state_.planned - 1);
    const QString width = widthText(double(state_.widths[at / devices]));
    return (at % devices == 0 ? tell("Now training at width %1 on the CPU.")
                              : tell("Now training at width %1 on the GPU."))
        .arg(width);
}

QString DeviceContest::notMeasuredText() const {
    for (const RaceResult& r : state_.results)
        if (!r.why_not.empty())
            return tell("%1, width %2: %3")
                .arg(r.device == "cpu" ? QStringLiteral("CPU") : QStringLiteral("GPU"), widthText(double(r.width)),
                     QString::fromStdString(r.why_not));
    return {};
}

QString DeviceContest::whyNoGpu() const {
    if (two()) return {};
    for (const DeviceInfo& device : state_.devices)
        if (device.id != "cpu" && !device.why_off.empty()) return QString::fromStdString(device.why_off);
    return {};
}

std::optional<std::size_t> DeviceContest::crossing() const {
    std::optional<std::size_t> from;
    for (const std::size_t width : state_.widths) {
        const RaceResult *cpu = result(width, "cpu"), *gpu = result(width, "cuda");
        if (!cpu || !gpu || cpu->steps_per_second <= 0 || gpu->steps_per_second <= 0) continue;
        if (gpu->steps_per_second <= cpu->steps_per_second)
            from.reset();
        else if (!from)
            from = width;
    }
    return from;
}

std::vector<std::size_t> DeviceContest::both() const {
    std::vector<std::size_t> widths;
    for (const std::size_t width : state_.widths) {
        const RaceResult *cpu = result(width, "cpu"), *gpu = result(width, "cuda");
        if (cpu && gpu && cpu->steps_per_second > 0 && gpu->steps_per_second > 0) widths.push_back(width);
    }
    return widths;
}

std::vector<std::size_t> DeviceContest::won() const {
    std::vector<std::size_t> widths = both();
    std::erase_if(widths, [&](std::size_t width) {
        return result(width, "cuda")->steps_per_second <= result(width, "cpu")->steps_per_second;
    });
    return widths;
}

// Where some widths are missing the sentence says of how many it is.
QString DeviceContest::crossingText() const {
    const std::vector<std::size_t> all = both(), by_gpu = won();
    if (all.empty()) return {};
    const bool whole = all.size() == state_.widths.size();
    const QString winner = by_gpu.empty() ? QStringLiteral("CPU") : QStringLiteral("GPU");
    if (by_gpu.empty() || by_gpu.size() == all.size()) {
        if (whole) return tell("The %1 wins at every width measured.").arg(winner);
        if (all.size() == 1)
            return tell("At the one width measured, %1, the %2 wins.").arg(widthText(double(all[0])), winner);
        return tell("At the %1 widths measured the %2 wins.").arg(all.size()).arg(winner);
    }
    QStringList names;
    for (const std::size_t width : by_gpu) names << widthText(double(width));
    const auto from = crossing();
    if (whole)
        return from ? tell("The GPU wins from width %1 on.").arg(widthText(double(*from)))
                    : tell("The GPU wins at %1 only; at the widest model the CPU does.")
                          .arg(names.join(QStringLiteral(", ")));
    return from ? tell("Of the %1 widths measured the GPU wins those from %2 on.")
                      .arg(all.size())
                      .arg(widthText(double(*from)))
                : tell("Of the %1 widths measured the GPU wins %2 only.")
                      .arg(all.size())
                      .arg(names.join(QStringLiteral(", ")));
}

std::optional<double> DeviceContest::slowdown() const {
    if (state_.widths.size() < 2) return std::nullopt;
    const RaceResult *first = result(state_.widths.front(), "cpu"), *last = result(state_.widths.back(), "cpu");
    if (!first || !last || first->steps_per_second <= 0 || last->steps_per_second <= 0) return std::nullopt;
    return first->steps_per_second / last->steps_per_second;
}

QString DeviceContest::slowdownText() const {
    const auto factor = slowdown();
    if (!factor) return {};
    return tell("From width %1 to %2 the CPU makes %3 times fewer steps.")
        .arg(widthText(double(state_.widths.front())), widthText(double(state_.widths.back())), timesText(*factor));
}

QStringList DeviceContest::choices(ContestQuestion question) {
    QStringList names;
    if (question == ContestQuestion::slowdown) {
        for (const double factor : factors) names << tell("%1 times").arg(widthText(factor));
        return names;
    }
    for (const std::size_t width : race_widths()) names << widthText(double(width));
    return names << tell("never");
}

double DeviceContest::choiceValue(ContestQuestion question, int choice) {
    if (question == ContestQuestion::slowdown) return choice < int(std::size(factors)) ? factors[choice] : 0;
    const std::vector<std::size_t> widths = race_widths();
    return choice < int(widths.size()) ? double(widths[std::size_t(choice)]) : 0;
}

QString DeviceContest::verdict(ContestQuestion question, int choice) const {
    if (!complete() || choice < 0) return {};
    const QString said = choices(question).value(choice);
    const double value = choiceValue(question, choice);
    if (question == ContestQuestion::slowdown) {
        const auto factor = slowdown();
        if (!factor) return {};
        const double off = std::max(*factor / value, value / *factor);
        if (off <= as_said) return tell("You said %1: just about right.").arg(said);
        return (*factor > value ? tell("You said %1: too few by a factor of %2.")
                                : tell("You said %1: too many by a factor of %2."))
            .arg(said, timesText(off));
    }
    if (crossingText().isEmpty()) return {};
    const auto from = crossing();
    if (!from)
        return value == 0      ? tell("You said never: you were right.")
               : won().empty() ? tell("You said %1, but the GPU never won.").arg(said)
                               : tell("You said %1, but from no width on did the GPU win.").arg(said);
    if (value == 0) return tell("You said never, but the GPU did win.");
    const int doublings = int(std::lround(std::log2(double(*from) / value)));
    if (doublings == 0) return tell("You said %1: you were right.").arg(said);
    const int count = std::abs(doublings);
    return (doublings > 0 ? tell("You said %1: too early by %2.") : tell("You said %1: too late by %2."))
        .arg(said, count == 1 ? tell("one doubling") : tell("%1 doublings").arg(count));
}

QString DeviceContest::readingText(std::size_t width) const {
    const RaceResult *cpu = result(width, "cpu"), *gpu = result(width, "cuda");
    QStringList parts;
    for (const RaceResult* r : {cpu, gpu}) {
        if (!r) continue;
        const QString name = r == cpu ? QStringLiteral("CPU ") : QStringLiteral("GPU ");
        parts << name + (r->steps_per_second > 0 ? rateText(r->steps_per_second) : QStringLiteral("–"));
    }
    if (parts.isEmpty()) return {};
    return tell("Width %1: %2 steps/s").arg(widthText(double(width)), parts.join(QStringLiteral(", ")));
}

QString DeviceContest::spoken() const {
    QStringList said;
    if (!crossingText().isEmpty()) said << crossingText();
    for (const std::size_t width : state_.widths)
        if (const QString text = readingText(width); !text.isEmpty()) said << text + u'.';
    return said.join(u' ');
}

Table DeviceContest::table(const QString& title) const {
    Table table{title,
                {},
                {tell("width"), tell("%1, steps/s").arg(nameOf("cpu")), tell("%1, steps/s").arg(nameOf("cuda")),
                 tell("GPU against CPU, times")},
                {}};
    for (const QString& note : {crossingText(), slowdownText(), whyNoGpu()})
        if (!note.isEmpty()) table.notes.push_back(note);
    for (const std::size_t width : state_.widths) {
        const RaceResult *cpu = result(width, "cpu"), *gpu = result(width, "cuda");
        if (!cpu && !gpu) continue;
        const auto cell = [](const RaceResult* r) {
            if (!r) return QString();
            return r->steps_per_second > 0 ? rateFigures(r->steps_per_second) : QString::fromStdString(r->why_not);
        };
        const bool both = cpu && gpu && cpu->steps_per_second > 0 && gpu->steps_per_second > 0;
        table.rows.push_back(
            {QString::number(width), cell(cpu), cell(gpu),
             both ? QString::fromStdString(to_fixed(gpu->steps_per_second / cpu->steps_per_second, 2)) : QString()});
    }
    return table;
}

}  // namespace moe::app
