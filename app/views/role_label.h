#pragma once
#include <QLabel>

namespace moe::app {

/// Plain text over as many lines as it takes, in the style's role of that name.
inline QLabel* roleLabel(const char* role, QWidget* parent) {
    auto* label = new QLabel(parent);
    label->setProperty("role", QString::fromLatin1(role));
    label->setTextFormat(Qt::PlainText);
    label->setWordWrap(true);
    return label;
}

}  // namespace moe::app
