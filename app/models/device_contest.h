#pragma once
#include "app/models/table.h"
#include "engine/session/device_race.h"

#include <QPointF>
#include <QString>
#include <QStringList>

#include <optional>
#include <vector>

namespace moe::app {

/// What one device made of the widths measured so far.
struct ContestLine {
    QString device;               // "cpu", "cuda"
    QString name;                 // "CPU", "GPU"
    std::vector<QPointF> points;  // width, steps per second; by width
};

/// What a student expects before a measurement: where there is a GPU the width from which on it wins, else how many
/// times slower the widest model is.
enum class ContestQuestion { crossing, slowdown };

/// What a race of the devices has told so far, in words: no number in it is anybody's but the race's. Any thread.
class DeviceContest {
public:
    DeviceContest() = default;
    explicit DeviceContest(RaceState state) : state_(std::move(state)) {}

    const RaceState& state() const { return state_; }
    std::vector<ContestLine> lines() const;
    /// "CPU · AVX-512, 1 thread": of a device of this race, by its id.
    QString nameOf(const std::string& device) const;
    bool begun() const { return !state_.results.empty(); }
    /// Every device at every width.
    bool complete() const { return !state_.running && begun() && state_.measured >= state_.planned; }
    /// The GPU is measured as well.
    bool two() const;

    /// "Now training at width 128 on the GPU." Empty while it rests.
    QString progressText() const;
    /// The first size that a device could not do, and why.
    QString notMeasuredText() const;
    /// Why the GPU takes no part, where it does not.
    QString whyNoGpu() const;
    /// The smallest width from which on the GPU was the faster one at every width measured; nothing: there is none.
    std::optional<std::size_t> crossing() const;
    /// "The GPU wins from width 256 on." Of two devices, and nothing before both were measured at one width.
    QString crossingText() const;
    /// How many times fewer steps at the widest model than at the narrowest, on the processor.
    std::optional<double> slowdown() const;
    /// The same in a sentence.
    QString slowdownText() const;

    /// The choices before a measurement, and what each means: a width or a factor; 0: never.
    static QStringList choices(ContestQuestion question);
    static double choiceValue(ContestQuestion question, int choice);
    /// By how far the guess was right; empty before all is measured.
    QString verdict(ContestQuestion question, int choice) const;

    /// "Width 128: CPU 3,210, GPU 5,020 steps/s".
    QString readingText(std::size_t width) const;
    /// Everything in one sentence a width, for those who hear it.
    QString spoken() const;
    Table table(const QString& title) const;

private:
    /// Widths measured on both, and those of them that the GPU won.
    std::vector<std::size_t> both() const, won() const;
    const RaceResult* result(std::size_t width, const char* device) const;

    RaceState state_;
};

/// "GPU · NVIDIA H100": how a device is called wherever people read of it. "GPU" alone where its name is not known.
QString deviceName(const DeviceInfo& device);

/// Steps per second: whole from 10 on.
QString rateText(double stepsPerSecond);

}  // namespace moe::app
