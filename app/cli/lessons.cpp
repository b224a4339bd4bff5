#include "app/cli/commands.h"
#include "app/cli/find_lesson.h"
#include "app/cli/terminal.h"
#include "engine/core/error.h"

#include <algorithm>
#include <iostream>

namespace moe::app {

namespace {

nlohmann::ordered_json asJson(const Lesson& lesson) {
    nlohmann::ordered_json phrases = nlohmann::ordered_json::array();
    for (const QString& phrase : lesson.phrases) phrases.push_back(phrase.toStdString());
    return {{"id", lesson.id.toStdString()},
            {"title", lesson.title.toStdString()},
            {"question", lesson.question.toStdString()},
            {"probe", lesson.probe.toStdString()},
            {"phrases", phrases}};
}

void printLesson(const Lesson& lesson) {
    std::cout << lesson.id.toStdString() << "  " << lesson.title.toStdString() << '\n'
              << "question: " << lesson.question.toStdString() << '\n'
              << "probe: " << lesson.probe.toStdString() << '\n';
    for (const QString& phrase : lesson.phrases) std::cout << "phrase: " << phrase.toStdString() << '\n';
}

int run(const Arguments& a) {
    if (a.words().size() > 1) throw UsageError("lessons shows one lesson, or the list of all.");
    const LessonList list = lessonsOf(a);
    if (!a.words().empty()) {
        const Lesson lesson = findLesson(list, a.words().front());
        if (a.has("--json"))
            printJson(asJson(lesson));
        else
            printLesson(lesson);
        return 0;
    }
    if (a.has("--json")) {
        nlohmann::ordered_json all = nlohmann::ordered_json::array();
        for (const Lesson& lesson : list.lessons) all.push_back(asJson(lesson));
        printJson({{"lessons", all}});
        return 0;
    }
    qsizetype width = 0;
    for (const Lesson& lesson : list.lessons) width = std::max(width, lesson.id.size());
    for (const Lesson& lesson : list.lessons)
        std::cout << lesson.id.leftJustified(width).toStdString() << "  " << lesson.title.toStdString() << '\n';
    return 0;
}

}  // namespace

Command lessonsCommand() {
    return {"lessons",
            "the lessons, one a line",
            "[ID] [--lessons DIR] [--json]",
            "ID",
            {lessons_option, json_option},
            "Each line starts with the lesson's id, in course order. With an ID: that lesson's question, and the\n"
            "phrases that are worth trying.\n",
            run};
}

}  // namespace moe::app
