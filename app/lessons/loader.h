#pragma once
#include "app/lessons/lesson.h"
#include "engine/session/training_session.h"

#include <QString>
#include <QStringList>

#include <memory>
#include <vector>

namespace moe::app {

/// Reads `folder`/lesson.json (lessons/FORMAT.md). Throws Error in one sentence with file, line and what to do. Any
/// thread.
Lesson loadLesson(const QString& folder);

struct LessonList {
    std::vector<Lesson> lessons;  // in course order: by id
    QStringList problems;         // a broken lesson is left out and told, it does not stop the others
};

/// The lessons compiled into the program, then those of `further`, a folder of lesson folders or one lesson's folder
/// (empty: none). Of two with one id the further one wins. Any thread.
LessonList loadLessons(const QString& further = {});

/// The lesson's text with its tokenizer, under the lesson's title. Throws Error. Any thread.
std::shared_ptr<const Corpus> loadCorpus(const Lesson& lesson);

}  // namespace moe::app
