#pragma once
#include <cstddef>
#include <string>

namespace moe::app {

/// One number of a trace. `name` is that of a TraceValue ("gate_logits", "d_mean"), of a parameter ("gate/kernel", as
/// it was before the step; "d:gate/kernel" its gradient, "m:..." and "v:..." Adam's moments before the step, "new:..."
/// the parameter after it, "new_m:..." and "new_v:..." the moments after it), or "target" for an example's next word.
/// `index` is flat within the example; of a parameter's flat in the whole array, and `example` is 0.
struct NumberRef {
    std::string name;
    std::size_t example = 0;
    std::size_t index = 0;

    bool operator==(const NumberRef&) const = default;
};

}  // namespace moe::app
