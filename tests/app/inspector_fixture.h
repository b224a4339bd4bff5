#pragma once
#include "app/session/session_controller.h"
#include "app/views/inspector_view.h"
#include "tests/support/small_corpus.h"

#include <QPalette>
#include <QtTest>

#include <memory>
#include <optional>

namespace moe::app::test {

inline std::shared_ptr<const Corpus> corpus() {
    static const auto text = moe::test::tutorial_corpus();
    return text;
}

struct Model {
    const char* router = "soft";
    std::size_t experts = 4, top_k = 2, steps = 174;
    double balance = 0;
};

inline Theme themed(bool dark, double scale) {
    Theme theme = dark ? Theme::darkTheme() : Theme::light();
    theme.scale = scale;
    return theme;
}

/// A session with a model that was trained a little.
struct Opened {
    SessionController session;

    explicit Opened(const Model& m, std::shared_ptr<const Corpus> text = corpus(),
                    const char* probe = "hello world how") {
        SessionSetup setup;
        setup.experiment.model.router = m.router, setup.experiment.model.num_experts = m.experts;
        setup.experiment.model.top_k = m.top_k, setup.experiment.model.balance_loss = m.balance;
        setup.experiment.train.epochs = 100000;
        setup.corpus = text;
        setup.probe = probe, setup.focus = 100;
        QString error = "open";
        session.open(std::move(setup), [&](const QString& e) { error = e; });
        if (!QTest::qWaitFor([&] { return error.isEmpty(); }, 20000)) qWarning("not opened: %s", qPrintable(error));
        if (m.steps > 0) session.runSteps(m.steps);
        if (!QTest::qWaitFor([&] { return session.snapshot().step == m.steps && session.resting(); }, 60000))
            qWarning("not trained");
    }
    Trace trace(std::uint64_t step) {
        std::optional<Answer<Trace>> got;
        session.trace(step, [&](Answer<Trace> a) { got = std::move(a); });
        if (!QTest::qWaitFor([&] { return got.has_value(); }, 20000) || !got->value) qFatal("no trace");
        return *got->value;
    }
    Trace phrase() {
        std::optional<Answer<Trace>> got;
        const Snapshot& s = session.snapshot();
        session.tracePhrase(s.step, QString::fromStdString(s.probe.text), s.probe.focus,
                            [&](Answer<Trace> a) { got = std::move(a); });
        if (!QTest::qWaitFor([&] { return got.has_value(); }, 20000) || !got->value) qFatal("no trace");
        return *got->value;
    }
    RunState state() {
        std::optional<RunState> got;
        session.save([&](SavedRun run) { got = std::move(run.state); });
        if (!QTest::qWaitFor([&] { return got.has_value(); }, 20000)) qFatal("no state");
        return *got;
    }
};

inline std::unique_ptr<InspectorView> inspectorView(Opened& opened, const Theme& theme, QSize size) {
    auto view = std::make_unique<InspectorView>(opened.session, nullptr);
    QPalette palette;
    palette.setColor(QPalette::Window, theme.panel);
    view->setPalette(palette);
    view->setTheme(theme);
    view->resize(size);
    view->show();
    if (!QTest::qWaitForWindowExposed(view.get())) qWarning("not shown");
    return view;
}

inline bool waitFresh(const InspectorView& view) {
    QCoreApplication::processEvents();
    return QTest::qWaitFor([&] { return view.feed().active() && view.feed().fresh(); }, 20000);
}

}  // namespace moe::app::test
