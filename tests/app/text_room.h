#pragma once
#include "app/shell/transport_bar.h"

#include <QAbstractButton>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QTranslator>

namespace moe::app {

/// `text` 40 % longer, as a translation may be.
inline QString longer(const QString& text) {
    QString more;
    const qsizetype length = (text.size() * 2 + 4) / 5;
    while (more.size() < length) more += more.size() % 7 == 3 ? u' ' : u'é';
    return text + more;
}

/// Every text of the program, longer().
class Longer : public QTranslator {
public:
    using QTranslator::QTranslator;
    bool isEmpty() const override { return false; }
    QString translate(const char*, const char* text, const char*, int) const override {
        return longer(QString::fromUtf8(text));
    }
};

/// Texts that need more room than they have.
inline QStringList cutIn(QWidget* root) {
    QStringList cut;
    for (QWidget* w : root->findChildren<QWidget*>()) {
        if (!w->isVisible() || w->visibleRegion().isEmpty()) continue;
        const auto tell = [&](const QString& text, QSize needs) {
            cut << QStringLiteral("%1 \"%2\" needs %3x%4, has %5x%6")
                       .arg(QString::fromLatin1(w->metaObject()->className()), text)
                       .arg(needs.width())
                       .arg(needs.height())
                       .arg(w->width())
                       .arg(w->height());
        };
        if (const auto* label = qobject_cast<QLabel*>(w); label && !label->text().isEmpty()) {
            if (label->wordWrap()) {
                const int needs = label->heightForWidth(label->width());
                if (needs > label->height()) tell(label->text(), {label->width(), needs});
            } else if (label->sizeHint().width() > label->width() + 1 ||
                       label->sizeHint().height() > label->height() + 1) {
                tell(label->text(), label->sizeHint());
            }
        } else if (const auto* button = qobject_cast<QAbstractButton*>(w); button && !button->text().isEmpty()) {
            const QSize needs = button->minimumSizeHint();
            if (needs.width() > button->width() + 1 || needs.height() > button->height() + 1)
                tell(button->text(), needs);
        } else if (const auto* box = qobject_cast<QComboBox*>(w)) {
            if (box->minimumSizeHint().width() > box->width() + 1) tell(box->currentText(), box->minimumSizeHint());
        } else if (const auto* figure = qobject_cast<RunFigure*>(w)) {
            if (figure->sizeHint().width() > figure->width()) tell(figure->accessibleName(), figure->sizeHint());
        } else {
            continue;
        }
        const QRect inside(w->mapTo(root, QPoint(0, 0)), w->size());
        if (inside.left() < 0 || inside.right() > root->width()) tell(QStringLiteral("(outside)"), w->size());
    }
    return cut;
}

/// Texts and controls that stand over each other.
inline QStringList overlapsIn(QWidget* root) {
    std::vector<std::pair<QWidget*, QRect>> shown;
    for (QWidget* w : root->findChildren<QWidget*>()) {
        if (w->window() != root->window() || !w->isVisible() || w->visibleRegion().isEmpty()) continue;
        const auto* label = qobject_cast<QLabel*>(w);
        const bool says = (label && !label->text().isEmpty()) || qobject_cast<QAbstractButton*>(w) ||
                          qobject_cast<QLineEdit*>(w) || qobject_cast<QComboBox*>(w) ||
                          qobject_cast<QPlainTextEdit*>(w);
        if (!says) continue;
        const QRect seen = w->visibleRegion().boundingRect();
        shown.emplace_back(w, QRect(w->mapTo(root, seen.topLeft()), seen.size()).adjusted(1, 1, -1, -1));
    }
    const auto name = [](const QWidget* w) {
        const QString text = w->property("text").toString();
        return QString::fromLatin1(w->metaObject()->className()) + u' ' + (text.isEmpty() ? w->objectName() : text);
    };
    QStringList over;
    for (std::size_t i = 0; i < shown.size(); ++i)
        for (std::size_t k = i + 1; k < shown.size(); ++k) {
            const auto& [a, where] = shown[i];
            const auto& [b, there] = shown[k];
            if (where.intersects(there) && !a->isAncestorOf(b) && !b->isAncestorOf(a))
                over << name(a) + QStringLiteral(" over ") + name(b);
        }
    return over;
}

}  // namespace moe::app
