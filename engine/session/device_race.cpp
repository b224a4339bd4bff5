#include "engine/session/device_race.h"

#include "engine/core/float_mode.h"
#include "engine/core/median.h"
#include "engine/core/settings.h"
#include "engine/train/trainer.h"

#include <chrono>
#include <new>
#include <utility>

namespace moe {

namespace {

constexpr double slice_seconds = 0.08, warm_up_seconds = 0.1;  // of one device at one width
constexpr int fewest_steps = 2,
              slices = 5;  // the median of them: a moment in which the machine was busy does not count

double steps_per_second(const std::stop_token& stop, Trainer& trainer, double seconds) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    double elapsed = 0;
    int steps = 0;
    while (!stop.stop_requested() && (elapsed < seconds || steps < fewest_steps)) {
        trainer.step();
        ++steps;
        elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    }
    return elapsed > 0 ? steps / elapsed : 0;
}

}  // namespace

std::vector<std::size_t> race_widths() {
    return {16, 32, 64, 128, 256, 512, 1024};
}

DeviceRace::~DeviceRace() {
    stop();
}

void DeviceRace::start(Experiment experiment, std::shared_ptr<const Corpus> corpus, std::vector<std::size_t> widths,
                       BackendOptions options) {
    thread_ = {};  // ends the one before, and waits
    {
        const std::scoped_lock lock(mutex_);
        state_ = {};
        state_.widths = std::move(widths);
        state_.running = true;
        state_.planned = state_.widths.size();
    }
    thread_ = std::jthread([this, experiment = std::move(experiment), corpus = std::move(corpus),
                            options = std::move(options)](const std::stop_token& stop) {
        std::string failure;
        try {
            measure(stop, experiment, corpus, options);
        } catch (const std::exception& e) {
            failure = e.what();
        }
        const std::scoped_lock lock(mutex_);
        state_.failure = std::move(failure);
        state_.running = false;
    });
}

void DeviceRace::stop() {
    thread_.request_stop();
}

RaceState DeviceRace::state() const {
    const std::scoped_lock lock(mutex_);
    return state_;
}

void DeviceRace::add(RaceResult result) {
    const std::scoped_lock lock(mutex_);
    ++state_.measured;
    state_.results.push_back(std::move(result));
}

void DeviceRace::measure(const std::stop_token& stop, const Experiment& experiment,
                         const std::shared_ptr<const Corpus>& corpus, const BackendOptions& options) {
    const FlushDenormals flush;
    const std::vector<DeviceInfo> devices = list_devices();  // looks for a GPU: not under the lock
    std::vector<std::string> racing;
    for (const DeviceInfo& device : devices)
        if (device.why_off.empty() || options.make) racing.push_back(device.id);
    std::vector<std::size_t> widths;
    {
        const std::scoped_lock lock(mutex_);
        state_.devices = devices;
        state_.planned = racing.size() * state_.widths.size();
        widths = state_.widths;
    }
    for (const std::size_t width : widths)
        for (const std::string& device : racing) {
            if (stop.stop_requested()) return;
            RaceResult result{width, device, 0, {}};
            try {
                Experiment wide = experiment;
                wide.model.embedding_dim = wide.model.hidden_dim = width;
                BackendOptions own = options;
                own.device = device;
                if (device == "cpu") own.precision = "float32";
                const auto backend = make_backend(own);
                Trainer trainer(*backend, resolve(wide, *corpus, default_memory_limit()), corpus);
                steps_per_second(stop, trainer, warm_up_seconds);
                std::vector<double> reached;
                for (int slice = 0; slice < slices; ++slice)
                    reached.push_back(steps_per_second(stop, trainer, slice_seconds));
                if (stop.stop_requested()) return;
                result.steps_per_second = median(reached);
            } catch (const std::bad_alloc&) {
                result.why_not = "There is no memory for this size.";
            } catch (const Error& e) {
                result.why_not = e.what();
            }
            add(std::move(result));
        }
}

}  // namespace moe
