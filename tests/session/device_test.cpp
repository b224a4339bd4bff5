// A run that changes its device, by command and because the device failed, and the race of the devices.
#include "engine/session/device_race.h"
#include "tests/session/past_kit.h"
#include "tests/support/cuda_emulator.h"

#include <chrono>
#include <cmath>

using namespace moe;
using namespace moe::test;
using moe::cuda::emulator;

namespace {

using Seconds = std::chrono::duration<double>;

/// An emulated GPU beside the CPU. Backends of one device share it, as those of a program do.
struct TwoDevices {
    std::shared_ptr<cuda::Device> device = std::make_shared<cuda::Device>(cuda::emulator_module());

    TwoDevices() { emulator.reset(); }
    ~TwoDevices() { emulator.reset(); }
    BackendOptions options(std::string name) const {
        return {std::move(name), 1, [device = device](const BackendOptions& o) -> std::unique_ptr<Backend<float>> {
                    if (o.device == "cpu" || (o.device == "auto" && device->lost())) return make_backend({"cpu", 1});
                    if (device->lost()) throw Error(device->why());
                    return std::make_unique<cuda::CudaBackend>(device);
                }};
    }
};

SessionOptions session_on(const TwoDevices& devices, std::string name) {
    SessionOptions options = cpu();
    options.backend = devices.options(std::move(name));
    return options;
}

}  // namespace

TEST_CASE("a run goes on on another device, and back, from the same state") {
    const TwoDevices devices;
    TrainingSession session(session_on(devices, "cpu")), alone(cpu());
    for (TrainingSession* s : {&session, &alone}) s->open(tutorial());
    session.run_steps(20);
    session.wait();
    CHECK(session.set_device("cuda").get() == "");
    CHECK(session.take()->device == "CUDA · emulator");
    CHECK(session.take()->device_id == "cuda");
    CHECK(session.take()->step == 20);
    session.run_steps(20);
    session.wait();
    CHECK(session.set_device("cpu").get() == "");
    session.run_steps(20);
    alone.run_steps(60);
    session.wait(), alone.wait();
    const auto a = session.take(), b = alone.take();
    CHECK(a->device_id == "cpu");
    CHECK(a->step == 60);
    CHECK(a->notice == "");
    CHECK(a->loss == doctest::Approx(b->loss).epsilon(1e-4));
    REQUIRE(a->history->points.size() == b->history->points.size());
    for (std::size_t i = 0; i < a->history->points.size(); ++i)
        CHECK(a->history->points[i].loss == doctest::Approx(b->history->points[i].loss).epsilon(1e-3));

    // The past is there, replayed here.
    session.look_at(30);
    settle(session);
    REQUIRE(session.looked_at());
    CHECK(session.looked_at()->step == 30);
}

TEST_CASE("a device that is not there is refused, and the run stays") {
    const TwoDevices devices;
    TrainingSession session(session_on(devices, "cpu"));
    session.open(tutorial());
    session.run_steps(5);
    session.wait();
    devices.device->lose("The GPU (emulator) is gone.");
    CHECK(session.set_device("cuda").get() == "The GPU (emulator) is gone.");
    session.run_steps(5);
    session.wait();
    CHECK(session.take()->step == 10);
    CHECK(session.take()->device_id == "cpu");
}

TEST_CASE("wherever the GPU fails, training goes on on the CPU within a second, from a state at most a second old") {
    std::int64_t calls = 0;
    {
        const TwoDevices devices;
        TrainingSession session(session_on(devices, "cuda"));
        session.open(tutorial());
        session.run_steps(40);
        session.wait();
        session.take();
        calls = emulator.calls;
    }
    REQUIRE(calls > 150);
    std::size_t moved = 0;
    for (const cuda::Status failure : {cuda::failed, cuda::out_of_memory})
        for (std::int64_t at = 1; at <= calls; at += at < 60 ? 3 : calls / (thorough ? 40 : 10)) {
            const TwoDevices devices;
            emulator.fail_at = at, emulator.failure = failure;
            CAPTURE(at);
            TrainingSession session(session_on(devices, "auto"));
            const auto start = std::chrono::steady_clock::now();
            session.open(tutorial());
            session.run_steps(40);
            session.wait();
            const auto s = session.take();
            CHECK(s->state == SessionState::paused);
            CHECK(s->message == "");
            CHECK(s->step == 40);  // what was lost is trained again
            CHECK(s->history->points.size() == 40);
            CHECK(std::isfinite(s->history->points.back().loss));
            if (emulator.calls < at) continue;                               // it did not come so far
            if (failure == cuda::out_of_memory && s->device_id == "cuda") {  // a copy found another way
                CHECK(s->notices == 0);
                continue;
            }
            CHECK(s->device_id == "cpu");
            CHECK(s->notices == 1);
            CHECK(s->notice.find("on the CPU") != std::string::npos);
            CHECK(s->notice.find("emulator") != std::string::npos);
            CHECK(emulator.calls_after_failure == 0);
            CHECK(Seconds(std::chrono::steady_clock::now() - start).count() < 10);  // the whole run, on a busy machine
            ++moved;
            // The session is whole: its past can be looked at, it can be saved, and another model opened.
            session.look_at(3);
            settle(session);
            CHECK(session.looked_at()->step == 3);
            CHECK(session.save().get().state.step == 40);
            session.open(tutorial());
            CHECK(session.take()->step == 0);
            CHECK(emulator.calls_after_failure == 0);
        }
    CHECK(moved > 20);
}

TEST_CASE("after a failure in mid-run the run is the one that was trained, from the last state that the host has") {
    const TwoDevices devices;
    TrainingSession session(session_on(devices, "cuda")), alone(cpu());
    for (TrainingSession* s : {&session, &alone}) s->open(tutorial());
    session.run_steps(100);
    session.wait();
    emulator.fail_at = emulator.calls + 60;
    session.run_steps(200);
    alone.run_steps(300);
    session.wait(), alone.wait();
    const auto a = session.take(), b = alone.take();
    CHECK(a->device_id == "cpu");
    CHECK(a->step == 300);
    CHECK(a->notice.find("from step 1") != std::string::npos);  // 100, where it rested, or one that was kept since
    REQUIRE(a->history->points.size() == b->history->points.size());
    for (std::size_t i = 0; i < a->history->points.size(); ++i)
        CHECK(a->history->points[i].loss == doctest::Approx(b->history->points[i].loss).epsilon(1e-3));
    CHECK(a->epoch == b->epoch);
    CHECK(a->loss == doctest::Approx(b->loss).epsilon(1e-3));
}

TEST_CASE("the viewer leaves a device that fails it, and answers all the same") {
    const TwoDevices devices;
    TrainingSession session(session_on(devices, "cuda"));
    session.open(tutorial());
    session.run_steps(30);
    session.wait();
    emulator.fail_at = emulator.calls + 5;
    session.look_at(12);
    settle(session);
    REQUIRE(session.looked_at());
    CHECK(session.looked_at()->step == 12);
    const auto traced = session.trace(20).get();
    CHECK(traced.error == "");
    REQUIRE(traced.value);
    CHECK(emulator.calls_after_failure == 0);
    session.run_steps(5);
    session.wait();
    CHECK(session.take()->step == 35);
    CHECK(session.take()->device_id == "cpu");
}

TEST_CASE("the devices race over widths, and the race can be ended") {
    const TwoDevices devices;
    const SessionSetup setup = tutorial();
    DeviceRace race;
    race.start(setup.experiment, setup.corpus, {8, 16}, devices.options("auto"));
    const auto wait = [&] {
        while (race.state().running) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    };
    wait();
    const RaceState done = race.state();
    CHECK(done.failure == "");
    CHECK(done.planned == 4);
    REQUIRE(done.results.size() == 4);
    for (const RaceResult& r : done.results) CHECK(r.steps_per_second > 0);
    CHECK(done.results[0].width == 8);
    CHECK(done.results[0].device == "cpu");
    CHECK(done.results[1].device == "cuda");
    CHECK(done.results[2].width == 16);

    race.start(setup.experiment, setup.corpus, std::vector<std::size_t>(50, 8), devices.options("auto"));
    race.stop();
    wait();
    CHECK(race.state().results.size() < 50);
    race.start(setup.experiment, setup.corpus, {std::size_t(1) << 40, 8}, devices.options("auto"));
    wait();
    REQUIRE(race.state().results.size() == 4);
    CHECK(race.state().results[0].why_not.ends_with('.'));
    CHECK(race.state().results[2].why_not == "");
}

TEST_CASE("wherever the GPU fails after going back, the run stays where it was led to") {
    std::int64_t first = 0, last = 0;
    const auto run = [&](TrainingSession& session) {
        session.open(tutorial());
        session.run_steps(20);
        session.wait();
        CHECK(session.set_device("cuda").get() == "");
        session.run_steps(20);
        session.wait();
        first = emulator.calls;
        session.continue_from(10).get();
        session.wait();
        session.run_steps(5);
        session.wait();
        last = emulator.calls;
    };
    {
        const TwoDevices devices;
        TrainingSession session(session_on(devices, "cpu"));
        run(session);
    }
    REQUIRE(last > first + 50);
    const std::int64_t from = first, to = last;
    for (std::int64_t at = from + 1; at <= to; at += std::max<std::int64_t>(1, (to - from) / 40)) {
        const TwoDevices devices;
        emulator.fail_at = at;
        CAPTURE(at);
        TrainingSession session(session_on(devices, "cpu"));
        run(session);
        // Where the failure came before it was led back, it goes on from where it was.
        CHECK((session.take()->step == 15 || session.take()->step == 45));
        CHECK(session.take()->state == SessionState::paused);
        // The run and its viewer have a thread each: one may be on its way as the other fails.
        const std::int64_t late = emulator.calls_after_failure;
        CHECK(late <= 2);
        session.look_at(4);
        settle(session);
        session.run_steps(1);
        session.wait();
        CHECK(emulator.calls_after_failure == late);
    }
}

TEST_CASE("what has no room on the GPU goes to the CPU, whatever is commanded, and stays until it is asked back") {
    for (std::int64_t later = 1; later < 120; later += 7) {
        const TwoDevices devices;
        TrainingSession session(session_on(devices, "auto"));
        session.open(tutorial());
        session.run_steps(3);
        session.wait();
        emulator.failure = cuda::out_of_memory, emulator.fail_at = emulator.calls + later;
        CAPTURE(later);
        session.set_batch_size(5);
        session.wait();
        const auto s = session.take();
        CHECK(s->state == SessionState::paused);
        CHECK(s->message == "");
        CHECK(s->experiment.train.batch_size == 5);
        CHECK(s->step == 3);
        CHECK(s->notices == (s->device_id == "cpu" ? 1 : 0));
        const std::int64_t calls = emulator.calls;
        session.set_batch_size(4);
        session.wait();
        CHECK(session.take()->experiment.train.batch_size == 4);
        if (s->device_id == "cpu") {
            CHECK(emulator.calls == calls);
            CHECK(session.set_device("cuda").get() == "");
            CHECK(session.take()->device_id == "cuda");
        }
    }
}

TEST_CASE("a run in tf32 is one in float32 where it goes on on the CPU") {
    const TwoDevices devices;
    SessionOptions options = session_on(devices, "cuda");
    options.backend.precision = "tf32";
    options.backend.make = [device = devices.device](const BackendOptions& o) -> std::unique_ptr<Backend<float>> {
        if (o.device == "cpu" || device->lost()) return make_backend({"cpu", 1, {}, o.precision});
        return std::make_unique<cuda::CudaBackend>(device, cuda::Precision::tf32);
    };
    TrainingSession session(options);
    session.open(tutorial());
    session.run_steps(5);
    session.wait();
    emulator.fail_at = emulator.calls + 1;
    session.run_steps(5);
    session.wait();
    session.set_batch_size(3);
    session.reset();
    session.run_steps(4);
    session.wait();
    CHECK(session.take()->state == SessionState::paused);
    CHECK(session.take()->step == 4);
    CHECK(session.take()->device_id == "cpu");
}

TEST_CASE("an epoch that is trained again is told of once, and what was said of a failure stays") {
    const TwoDevices devices;
    TrainingSession session(session_on(devices, "cuda"));
    std::vector<std::uint64_t> told;
    session.on_epoch([&](std::uint64_t epoch, const EpochRecord&) { told.push_back(epoch); });
    session.open(tutorial());
    session.run_epochs(10);
    session.wait();
    emulator.fail_at = emulator.calls + 40;  // in mid-run: the host's state is that of the last rest
    session.run_epochs(20);
    session.wait();
    REQUIRE(told.size() == 30);
    for (std::size_t i = 0; i < told.size(); ++i) CHECK(told[i] == i + 1);

    const TwoDevices again;
    TrainingSession other(session_on(again, "cuda"));
    other.open(tutorial());
    other.run_steps(10);
    other.wait();
    emulator.fail_at = emulator.calls + 1;
    CHECK(other.set_device("cpu").get() == "");
    CHECK(other.take()->notices == 1);
    CHECK(other.take()->notice.find("The GPU (emulator) failed") == 0);
    CHECK(other.take()->step == 10);
}
