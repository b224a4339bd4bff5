#include "app/lessons/json_lines.h"

#include "engine/core/error.h"
#include "engine/core/numbers.h"

#include <QStringDecoder>

namespace moe::app {

namespace {

constexpr int max_depth = 64;

class Parser {
public:
    Parser(const QString& text, const QString& name) : text_(text), name_(name) {}

    JsonValue document() {
        JsonValue value = any(0);
        space();
        if (at_ < text_.size()) fail(QStringLiteral("there is something after the end of the document"));
        return value;
    }

private:
    [[noreturn]] void fail(const QString& what) const {
        throw Error(QStringLiteral("%1, line %2: %3.").arg(name_).arg(line_).arg(what).toStdString());
    }

    QChar peek() const { return at_ < text_.size() ? text_[at_] : QChar(); }

    void space() {
        for (; at_ < text_.size(); ++at_) {
            const QChar c = text_[at_];
            if (c == u'\n') ++line_;
            if (c != u' ' && c != u'\n' && c != u'\r' && c != u'\t') return;
        }
    }

    void expect(QChar c, const QString& after) {
        space();
        if (peek() != c || at_ >= text_.size())
            fail(QStringLiteral("\"%1\" is missing after %2").arg(QString(c), after));
        ++at_;
    }

    JsonValue any(int depth) {
        if (depth > max_depth) fail(QStringLiteral("more than %1 levels of brackets").arg(max_depth));
        space();
        JsonValue value;
        value.line = line_;
        if (at_ >= text_.size()) fail(QStringLiteral("the document ends where a value should stand"));
        const QChar c = peek();
        if (c == u'{') {
            object(value, depth);
        } else if (c == u'[') {
            array(value, depth);
        } else if (c == u'"') {
            value.kind = JsonValue::Kind::string;
            value.string = string();
        } else if (c == u'-' || c.isDigit()) {
            number(value);
        } else if (!word(value)) {
            fail(QStringLiteral("\"%1\" is not the start of a value").arg(QString(c)));
        }
        return value;
    }

    void object(JsonValue& value, int depth) {
        value.kind = JsonValue::Kind::object;
        ++at_;
        space();
        if (peek() == u'}') {
            ++at_;
            return;
        }
        while (true) {
            space();
            if (peek() != u'"') fail(QStringLiteral("a key in quotes should stand here"));
            const QString key = string();
            if (value.find(key)) fail(QStringLiteral("the key \"%1\" stands here twice").arg(key));
            expect(u':', QStringLiteral("the key \"%1\"").arg(key));
            value.members.emplace_back(key, any(depth + 1));
            space();
            if (peek() == u'}') {
                ++at_;
                return;
            }
            expect(u',', QStringLiteral("the value of \"%1\"").arg(key));
        }
    }

    void array(JsonValue& value, int depth) {
        value.kind = JsonValue::Kind::array;
        ++at_;
        space();
        if (peek() == u']') {
            ++at_;
            return;
        }
        while (true) {
            value.items.push_back(any(depth + 1));
            space();
            if (peek() == u']') {
                ++at_;
                return;
            }
            expect(u',', QStringLiteral("a value of the list"));
        }
    }

    void number(JsonValue& value) {
        const qsizetype start = at_;
        while (at_ < text_.size() && (text_[at_].isDigit() || QStringLiteral("+-.eE").contains(text_[at_]))) ++at_;
        value.string = text_.mid(start, at_ - start);
        value.kind = JsonValue::Kind::number;
        if (!parse_number(value.string.toStdString(), value.number))
            fail(QStringLiteral("\"%1\" is not a number").arg(value.string));
    }

    bool word(JsonValue& value) {
        const auto take = [&](const QString& w) {
            if (!QStringView(text_).mid(at_).startsWith(w)) return false;
            at_ += w.size();
            return true;
        };
        if (take(QStringLiteral("null"))) return true;
        value.kind = JsonValue::Kind::boolean;
        if (take(QStringLiteral("true"))) return value.boolean = true;
        return take(QStringLiteral("false"));
    }

    QString string() {
        QString result;
        for (++at_; at_ < text_.size(); ++at_) {
            const QChar c = text_[at_];
            if (c == u'"') {
                ++at_;
                return result;
            }
            if (c.unicode() < 0x20) fail(QStringLiteral("a string is not closed on its line"));
            result += c == u'\\' ? escape() : c;
        }
        fail(QStringLiteral("a string is not closed"));
    }

    QChar escape() {
        ++at_;
        switch (peek().unicode()) {
            case u'"':
            case u'\\':
            case u'/':
                return peek();
            case u'b':
                return u'\b';
            case u'f':
                return u'\f';
            case u'n':
                return u'\n';
            case u'r':
                return u'\r';
            case u't':
                return u'\t';
            case u'u': {
                bool ok = false;
                const uint code = text_.mid(at_ + 1, 4).toUInt(&ok, 16);
                if (!ok || at_ + 4 >= text_.size()) fail(QStringLiteral("\\u needs four hexadecimal digits"));
                at_ += 4;
                return QChar(ushort(code));
            }
            default:
                fail(QStringLiteral("\"\\%1\" is no escape of JSON").arg(QString(peek())));
        }
    }

    const QString& text_;
    const QString& name_;
    qsizetype at_ = 0;
    int line_ = 1;
};

}  // namespace

const JsonValue* JsonValue::find(const QString& key) const {
    for (const auto& [name, value] : members)
        if (name == key) return &value;
    return nullptr;
}

JsonValue parseJson(const QByteArray& bytes, const QString& name) {
    QStringDecoder decoder(QStringDecoder::Utf8);
    const QString text = decoder(bytes);
    if (decoder.hasError())
        throw Error(QStringLiteral("%1 is not UTF-8 text; save it as UTF-8.").arg(name).toStdString());
    return Parser(text, name).document();
}

}  // namespace moe::app
