#include "app/cli/find_lesson.h"

#include "app/cli/terminal.h"
#include "engine/core/error.h"

namespace moe::app {

LessonList lessonsOf(const Arguments& arguments) {
    LessonList list = loadLessons(QString::fromStdString(arguments.value("--lessons").value_or("")));
    for (const QString& problem : list.problems) say("moelab: " + problem.toStdString());
    return list;
}

Lesson findLesson(const LessonList& list, const std::string& id) {
    std::string known;
    for (const Lesson& lesson : list.lessons) {
        if (lesson.id.toStdString() == id) return lesson;
        known += (known.empty() ? "" : ", ") + lesson.id.toStdString();
    }
    throw UsageError("There is no lesson '" + id + "'; the lessons are " + known + ".");
}

}  // namespace moe::app
