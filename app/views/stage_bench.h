#pragma once
#include "engine/session/snapshot.h"

#include <QSizeF>

#include <memory>

namespace moe::app {

/// A snapshot of `tokens` known words in a model of E experts, filled by formula: the picture's work without a model's.
/// `phase` moves every number. Deterministic.
std::shared_ptr<const Snapshot> benchSnapshot(std::size_t tokens, std::size_t num_experts, double phase);

/// Median over 200 frames, in milliseconds, of the stage drawn in software at this size while every value moves and
/// tokens travel. Needs a QGuiApplication (any platform, offscreen too).
double stageFrameMilliseconds(std::size_t tokens, QSizeF size, std::size_t num_experts = 4);

}  // namespace moe::app
