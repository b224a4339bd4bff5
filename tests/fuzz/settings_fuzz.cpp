#include "engine/core/settings.h"
#include "engine/formats/keras_archive.h"
#include "tests/fuzz/fuzzing.h"

// Lines of key=value, each as a file's settings have them. What a setting was given it gives back.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    moe::Experiment experiment;
    std::string_view input(reinterpret_cast<const char*>(bytes), size);
    while (!input.empty()) {
        const std::size_t end = std::min(input.find('\n'), input.size());
        const std::string_view line = input.substr(0, end);
        input.remove_prefix(std::min(end + 1, input.size()));
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos) continue;
        moe::fuzz(bytes, size, [&](std::string_view) {
            moe::Json one = moe::Json::object();
            one[std::string(line.substr(0, equals))] = std::string(line.substr(equals + 1));
            moe::read_settings(one, "m.keras", experiment);
        });
    }
    for (const moe::Setting& setting : moe::settings()) {
        const std::string value = setting.get(experiment);
        moe::Experiment again = experiment;
        setting.set(again, value);
        moe::must(setting.get(again) == value);
    }
    return moe::fuzz(bytes, size, [&](std::string_view) {
        experiment.model.vocabulary = 11;
        if (experiment.model.max_seq_len == 0) experiment.model.max_seq_len = 4;
        moe::validate(experiment, std::size_t(1) << 30);
    });
}
