#pragma once
#include "app/models/run_series.h"

#include <QString>

#include <cstdint>

namespace moe::app {

/// The run's newest step; the snapshot's own while the present is shown.
std::uint64_t newestStep(const Snapshot& snapshot);

/// Whether the snapshot shows an earlier moment of a run that has gone on since.
bool isPast(const Snapshot& snapshot);

/// "step 174" at the present, "step 120 of 4,310" in the past.
QString momentText(const Snapshot& snapshot);

/// Epochs trained at that moment, with the part of the one under way where steps add up to epochs.
double epochsAt(const Snapshot& snapshot);

/// As it was known at that moment: of the last finished epoch, before the first of the batch that led there. NaN where
/// it is no number, and where nothing was trained.
double measureAt(const Snapshot& snapshot, Measure measure);

}  // namespace moe::app
