#pragma once
#include "app/cli/command.h"
#include "app/lessons/loader.h"

namespace moe::app {

/// The lessons compiled in and those of --lessons; tells of broken ones on standard error.
LessonList lessonsOf(const Arguments& arguments);

/// Throws UsageError that lists the ids where `id` is none of them.
Lesson findLesson(const LessonList& list, const std::string& id);

}  // namespace moe::app
