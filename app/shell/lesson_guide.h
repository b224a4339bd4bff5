#pragma once
#include "app/lessons/lesson.h"

#include <QObject>
#include <QStringList>

namespace moe::app {

class Workbench;

/// Carries out what a lesson asks for: the phrase of a step, where to look, and its buttons. GUI thread.
class LessonGuide : public QObject {
    Q_OBJECT

public:
    explicit LessonGuide(Workbench& bench, QObject* parent = nullptr);

    void enter(const LessonStep& step);
    void carryOut(const LessonAction& action);

Q_SIGNALS:
    void playAsked();
    void lookAsked(const QStringList& views);
    void speedAsked(double stepsPerSecond);
    void measureAsked();  // who is faster, processor or GPU

private:
    Workbench& bench_;
};

}  // namespace moe::app
