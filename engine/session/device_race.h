#pragma once
#include "engine/backend/backend.h"
#include "engine/core/spec.h"
#include "engine/text/corpus.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace moe {

/// What one device reached at one size of the model.
struct RaceResult {
    std::size_t width = 0;  // of embedding and experts
    std::string device;     // "cpu", "cuda"
    double steps_per_second = 0;
    std::string why_not;  // where it was not measured
};

struct RaceState {
    std::vector<DeviceInfo> devices;  // that take part, and that cannot
    std::vector<std::size_t> widths;
    std::vector<RaceResult> results;  // in the order in which they were measured
    bool running = false;
    std::string failure;  // why it cannot begin
    std::size_t measured = 0, planned = 0;
};

/// Trains copies of a model, made wider and wider, on every device in turn for a moment each, and tells how many steps
/// a second each makes: where the GPU begins to win shows. On a thread of its own; the run in training is not touched,
/// but both share the machine: pause it first. state() on any thread, the others on one; start() and the destructor
/// wait for a step of the race before.
class DeviceRace {
public:
    DeviceRace() = default;
    ~DeviceRace();
    DeviceRace(const DeviceRace&) = delete;
    DeviceRace& operator=(const DeviceRace&) = delete;

    /// Embedding and experts of `experiment` take each of `widths`, the rest stays. An earlier race is ended.
    /// `options`: makes the backends; its device is not asked.
    void start(Experiment experiment, std::shared_ptr<const Corpus> corpus, std::vector<std::size_t> widths,
               BackendOptions options = {});
    void stop();  // what was measured stays
    RaceState state() const;

private:
    void measure(const std::stop_token& stop, const Experiment& experiment, const std::shared_ptr<const Corpus>& corpus,
                 const BackendOptions& options);
    void add(RaceResult result);

    mutable std::mutex mutex_;
    RaceState state_;
    std::jthread thread_;  // last: it uses all of the above
};

/// The widths of a race that nobody asked otherwise for.
std::vector<std::size_t> race_widths();

}  // namespace moe
