#pragma once
#include <QByteArray>
#include <QString>

#include <utility>
#include <vector>

namespace moe::app {

/// JSON that remembers on which line each value stood, so that an author is told where to look.
struct JsonValue {
    enum class Kind { null, boolean, number, string, array, object };

    Kind kind = Kind::null;
    int line = 1;
    bool boolean = false;
    double number = 0;
    QString string;  // also a number as it was written
    std::vector<JsonValue> items;
    std::vector<std::pair<QString, JsonValue>> members;  // in the file's order; no key twice

    const JsonValue* find(const QString& key) const;
};

/// RFC 8259, at most 64 levels deep, no key twice in one object. Throws Error: "NAME, line 7: ...".
JsonValue parseJson(const QByteArray& bytes, const QString& name);

}  // namespace moe::app
