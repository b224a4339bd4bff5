#include "app/lessons/loader.h"

#include "app/lessons/json_lines.h"
#include "engine/core/error.h"
#include "engine/core/settings.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>

#include <algorithm>
#include <cmath>

// Resources of a static library are not registered by themselves; the macro works outside namespaces alone.
static void registerLessons() {
    Q_INIT_RESOURCE(lessons);
}

namespace moe::app {

namespace {

constexpr qint64 max_lesson_bytes = 4 << 20;
constexpr qint64 max_corpus_bytes = qint64(1) << 30;

QByteArray bytesOf(const QString& path, qint64 limit) {
    QFile file(path);
    if (!file.exists()) throw Error(QStringLiteral("%1 does not exist.").arg(path).toStdString());
    if (file.size() > limit)
        throw Error(QStringLiteral("%1 is larger than %2 MB.").arg(path).arg(limit >> 20).toStdString());
    if (!file.open(QIODevice::ReadOnly))
        throw Error(QStringLiteral("%1 cannot be read: %2.").arg(path, file.errorString()).toStdString());
    return file.readAll();
}

/// Takes a lesson out of its JSON; every complaint names the line of the value that it is about.
class Reader {
public:
    Reader(QString name, Lesson& lesson) : name_(std::move(name)), lesson_(lesson) {}

    void read(const JsonValue& root) {
        only(root, {"title", "question", "corpus", "experiment", "speed", "probe", "focus", "phrases", "steps"},
             "a lesson");
        lesson_.title = text(need(root, "title"), "title");
        lesson_.question = text(need(root, "question"), "question");
        lesson_.corpus = fileName(need(root, "corpus"));
        if (const JsonValue* v = root.find(QStringLiteral("experiment"))) experiment(*v);
        if (const JsonValue* v = root.find(QStringLiteral("speed"))) lesson_.speed = number(*v, "speed", 0, 1e6);
        lesson_.probe = text(need(root, "probe"), "probe");
        if (const JsonValue* v = root.find(QStringLiteral("focus"))) lesson_.focus = int(number(*v, "focus", 0, 511));
        if (const JsonValue* v = root.find(QStringLiteral("phrases"))) lesson_.phrases = texts(*v, "phrases");
        const JsonValue& steps = need(root, "steps");
        if (steps.kind != JsonValue::Kind::array || steps.items.empty())
            fail(steps, QStringLiteral("\"steps\" is a list of at least one step"));
        for (const JsonValue& v : steps.items) lesson_.steps.push_back(step(v));
    }

private:
    [[noreturn]] void fail(const JsonValue& at, const QString& what) const {
        throw Error(QStringLiteral("%1, line %2: %3.").arg(name_).arg(at.line).arg(what).toStdString());
    }

    void only(const JsonValue& value, const std::vector<const char*>& keys, const char* what) const {
        if (value.kind != JsonValue::Kind::object)
            fail(value, QStringLiteral("%1 is an object in braces").arg(QLatin1String(what)));
        for (const auto& [key, member] : value.members) {
            if (std::find(keys.begin(), keys.end(), key.toStdString()) != keys.end()) continue;
            QStringList known;
            for (const char* k : keys) known << QLatin1String(k);
            fail(member, QStringLiteral("%1 has no \"%2\"; it has %3")
                             .arg(QLatin1String(what), key, known.join(QStringLiteral(", "))));
        }
    }

    const JsonValue& need(const JsonValue& object, const char* key) const {
        if (const JsonValue* v = object.find(QLatin1String(key))) return *v;
        fail(object, QStringLiteral("\"%1\" is missing").arg(QLatin1String(key)));
    }

    QString text(const JsonValue& v, const char* key) const {
        if (v.kind != JsonValue::Kind::string)
            fail(v, QStringLiteral("\"%1\" is a text in quotes").arg(QLatin1String(key)));
        return v.string;
    }

    // A long text may be a list of lines.
    QString longText(const JsonValue& v, const char* key) const {
        return v.kind == JsonValue::Kind::array ? texts(v, key).join(u'\n') : text(v, key);
    }

    QStringList texts(const JsonValue& v, const char* key) const {
        if (v.kind != JsonValue::Kind::array)
            fail(v, QStringLiteral("\"%1\" is a list of texts in quotes").arg(QLatin1String(key)));
        QStringList result;
        for (const JsonValue& item : v.items) result << text(item, key);
        return result;
    }

    double number(const JsonValue& v, const char* key, double least, double most) const {
        if (v.kind != JsonValue::Kind::number || !(v.number >= least && v.number <= most))
            fail(v, QStringLiteral("\"%1\" is a number from %2 to %3")
                        .arg(QLatin1String(key), QString::number(least), QString::number(most)));
        return v.number;
    }

    QString fileName(const JsonValue& v) const {
        const QString name = text(v, "corpus");
        // A lesson reads nothing outside its own folder.
        if (name.isEmpty() || name.contains(u'/') || name.contains(u'\\') || name.startsWith(u'.'))
            fail(v, QStringLiteral("\"corpus\" is the name of a file in the lesson's folder"));
        return name;
    }

    static QString written(const JsonValue& v) {
        if (v.kind == JsonValue::Kind::boolean) return v.boolean ? QStringLiteral("true") : QStringLiteral("false");
        return v.string;
    }

    void setting(const QString& key, const JsonValue& v, Experiment& experiment) const {
        try {
            apply_setting(experiment, key.toStdString(), written(v).toStdString());
        } catch (const Error& e) {
            QString what = QString::fromUtf8(e.what());
            if (what.endsWith(u'.')) what.chop(1);
            fail(v, what);
        }
    }

    void experiment(const JsonValue& v) {
        if (v.kind != JsonValue::Kind::object) fail(v, QStringLiteral("\"experiment\" is an object of settings"));
        for (const auto& [key, value] : v.members) setting(key, value, lesson_.experiment);
    }

    LessonStep step(const JsonValue& v) const {
        only(v, {"title", "text", "phrase", "focus", "look", "guess", "do"}, "a step");
        LessonStep s;
        s.title = text(need(v, "title"), "title");
        s.text = longText(need(v, "text"), "text");
        if (const JsonValue* m = v.find(QStringLiteral("phrase"))) s.phrase = text(*m, "phrase");
        if (const JsonValue* m = v.find(QStringLiteral("focus"))) s.focus = int(number(*m, "focus", 0, 511));
        if (const JsonValue* m = v.find(QStringLiteral("look")))
            s.look = m->kind == JsonValue::Kind::string ? QStringList{m->string} : texts(*m, "look");
        if (const JsonValue* m = v.find(QStringLiteral("guess"))) s.guess = guess(*m);
        if (const JsonValue* m = v.find(QStringLiteral("do"))) {
            if (m->kind != JsonValue::Kind::array) fail(*m, QStringLiteral("\"do\" is a list of buttons"));
            for (const JsonValue& a : m->items) s.actions.push_back(action(a));
        }
        return s;
    }

    Guess guess(const JsonValue& v) const {
        only(v, {"prompt", "kind", "options", "answer", "afterwards"}, "a guess");
        Guess g;
        g.prompt = text(need(v, "prompt"), "prompt");
        const JsonValue& kind = need(v, "kind");
        if (kind.string == QStringLiteral("expert"))
            g.kind = Guess::Kind::expert;
        else if (kind.string == QStringLiteral("word"))
            g.kind = Guess::Kind::word;
        else if (kind.string == QStringLiteral("choice"))
            g.kind = Guess::Kind::choice;
        else
            fail(kind, QStringLiteral("\"kind\" is \"expert\", \"word\" or \"choice\""));
        if (g.kind != Guess::Kind::expert) {
            const JsonValue& options = need(v, "options");
            g.options = texts(options, "options");
            if (g.options.size() < 2 || g.options.size() > 8)
                fail(options, QStringLiteral("\"options\" are 2 to 8 texts"));
        }
        const JsonValue& answer = need(v, "answer");
        if (answer.string == QStringLiteral("gate") && g.kind == Guess::Kind::expert) {
            g.answer = Guess::Answer::gate;
        } else if (answer.string == QStringLiteral("load") && g.kind == Guess::Kind::expert) {
            g.answer = Guess::Answer::load;
        } else if (answer.string == QStringLiteral("next_word") && g.kind == Guess::Kind::word) {
            g.answer = Guess::Answer::next_word;
        } else if (answer.kind == JsonValue::Kind::number && g.kind == Guess::Kind::choice) {
            g.answer = Guess::Answer::option;
            g.right_option = int(number(answer, "answer", 1, double(g.options.size()))) - 1;
        } else {
            fail(answer,
                 QStringLiteral("\"answer\" is \"gate\" or \"load\" for an expert, \"next_word\" for a word, and the "
                                "number of the right option, from 1, for a choice"));
        }
        if (const JsonValue* m = v.find(QStringLiteral("afterwards"))) g.afterwards = longText(*m, "afterwards");
        return g;
    }

    LessonAction action(const JsonValue& v) const {
        only(v, {"label", "play", "pause", "batch", "epochs", "reset", "set", "probe", "speed", "measure"}, "a button");
        LessonAction a;
        a.label = text(need(v, "label"), "label");
        if (v.members.size() != 2)
            fail(
                v,
                QStringLiteral(
                    "a button has its label and one of play, pause, batch, epochs, reset, set, probe, speed, measure"));
        const auto& [key, value] = v.members[v.members[0].first == QStringLiteral("label") ? 1 : 0];
        if (key == QStringLiteral("play")) {
            a.kind = LessonAction::Kind::play;
        } else if (key == QStringLiteral("pause")) {
            a.kind = LessonAction::Kind::pause;
        } else if (key == QStringLiteral("batch")) {
            a.kind = LessonAction::Kind::batch;
        } else if (key == QStringLiteral("epochs")) {
            a.kind = LessonAction::Kind::epochs;
            a.number = number(value, "epochs", 1, 1e6);
        } else if (key == QStringLiteral("reset")) {
            a.kind = LessonAction::Kind::reset;
        } else if (key == QStringLiteral("measure")) {
            a.kind = LessonAction::Kind::measure;
        } else if (key == QStringLiteral("probe")) {
            a.kind = LessonAction::Kind::probe;
            a.text = text(value, "probe");
        } else if (key == QStringLiteral("speed")) {
            a.kind = LessonAction::Kind::speed;
            a.number = number(value, "speed", 0, 1e6);
        } else {
            a.kind = LessonAction::Kind::set;
            if (value.kind != JsonValue::Kind::object || value.members.empty())
                fail(value, QStringLiteral("\"set\" is an object of settings"));
            Experiment scratch = lesson_.experiment;
            for (const auto& [name, setting_value] : value.members) {
                setting(name, setting_value, scratch);
                a.settings.emplace_back(name.toStdString(), written(setting_value).toStdString());
            }
        }
        return a;
    }

    QString name_;
    Lesson& lesson_;
};

}  // namespace

Lesson loadLesson(const QString& folder) {
    Lesson lesson;
    lesson.folder = QDir::cleanPath(folder);
    lesson.id = QFileInfo(lesson.folder).fileName();
    const QString path = lesson.folder + QStringLiteral("/lesson.json");
    const QString name = lesson.id + QStringLiteral("/lesson.json");
    Reader(name, lesson).read(parseJson(bytesOf(path, max_lesson_bytes), name));
    const QString corpus = lesson.folder + u'/' + lesson.corpus;
    if (!QFile::exists(corpus))
        throw Error(QStringLiteral("%1: its corpus \"%2\" is not in the lesson's folder.")
                        .arg(name, lesson.corpus)
                        .toStdString());
    return lesson;
}

LessonList loadLessons(const QString& further) {
    registerLessons();
    LessonList list;
    const auto add = [&](const QString& folder) {
        try {
            Lesson lesson = loadLesson(folder);
            std::erase_if(list.lessons, [&](const Lesson& l) { return l.id == lesson.id; });
            list.lessons.push_back(std::move(lesson));
        } catch (const Error& e) {
            list.problems << QString::fromUtf8(e.what());
        }
    };
    const auto addAll = [&](const QString& root) {
        const QDir dir(root);
        for (const QString& name : dir.entryList(QDir::Dirs | QDir::NoDotAndDotDot, QDir::Name))
            if (dir.exists(name + QStringLiteral("/lesson.json"))) add(dir.filePath(name));
    };
    addAll(QStringLiteral(":/lessons"));
    if (!further.isEmpty()) {
        const QDir dir(further);
        if (!dir.exists())
            list.problems << QStringLiteral("The folder of lessons %1 does not exist.").arg(further);
        else if (dir.exists(QStringLiteral("lesson.json")))
            add(dir.absolutePath());
        else
            addAll(dir.absolutePath());
    }
    std::sort(list.lessons.begin(), list.lessons.end(), [](const Lesson& a, const Lesson& b) { return a.id < b.id; });
    return list;
}

std::shared_ptr<const Corpus> loadCorpus(const Lesson& lesson) {
    const QByteArray bytes = bytesOf(lesson.folder + u'/' + lesson.corpus, max_corpus_bytes);
    return Corpus::from_text(lesson.title.toStdString(),
                             std::string_view(bytes.constData(), std::size_t(bytes.size())));
}

}  // namespace moe::app
