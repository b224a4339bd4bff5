#pragma once
#include "engine/core/activation.h"

#include <QRegularExpression>
#include <QString>

#include <algorithm>
#include <cmath>

namespace moe::test {

/// A line as it is shown, calculated by its own rules: what a reader with a pocket calculator gets. Plain text.
class Calculator {
public:
    /// `activation`: what "gelu(" means.
    explicit Calculator(QString text, const std::string& activation = "relu")
        : text_(std::move(text)), activation_(activation_named(activation).id) {
        static const QRegularExpression label(QStringLiteral("[0-9,]+ more:"));  // of terms that are not listed
        text_.remove(label).remove(u' ');
    }

    double result() {
        const double value = sum();
        if (at_ != text_.size()) bad();
        return value;
    }
    /// After result(): whether all of it could be read.
    bool ok() const { return ok_; }

    /// Half of the last digit that a number shows.
    static double halfDigit(QString number) {
        number.replace(QChar(0x2212), u'-');
        const qsizetype e = number.indexOf(u'e');
        const QString mantissa = number.left(e < 0 ? number.size() : e);
        const int power = e < 0 ? 0 : number.mid(e + 1).toInt();
        const qsizetype point = mantissa.indexOf(u'.');
        const qsizetype decimals = point < 0 ? 0 : mantissa.size() - point - 1;
        return 0.5 * std::pow(10, power - double(decimals));
    }

private:
    bool take(const char* what) {
        const QString text = QString::fromUtf8(what);
        if (!QStringView(text_).mid(at_).startsWith(text)) return false;
        at_ += text.size();
        return true;
    }
    void bad() {
        ok_ = false;
        at_ = text_.size();
    }
    double sum() {
        double value = product();
        while (true) {
            if (take("+"))
                value += product();
            else if (take("−"))
                value -= product();
            else
                return value;
        }
    }
    double product() {
        double value = factor();
        while (true) {
            if (take("·"))
                value *= factor();
            else if (take("÷") || take("/"))
                value /= factor();
            else
                return value;
        }
    }
    double factor() {
        double value = 0;
        if (take("−ln"))
            value = -std::log(factor());
        else if (take("ln"))
            value = std::log(factor());
        else if (take("exp"))
            value = std::exp(factor());
        else if (take("e^"))
            value = std::exp(factor());
        else if (take("√"))
            value = std::sqrt(factor());
        else if (take("max(0,")) {
            value = std::max(0.0, sum());
            if (!take(")")) bad();
        } else if (take("tanh(") || take("gelu(")) {
            value = activated(activation_, sum());
            if (!take(")")) bad();
        } else if (take("tanh′(") || take("gelu′(")) {
            value = activation_slope(activation_, sum());
            if (!take(")")) bad();
        } else if (take("(")) {
            value = sum();
            if (!take(")")) bad();
        } else if (take("−"))
            return -factor();  // as on paper: −.1² is −.01
        else if (take("+"))
            value = factor();
        else
            value = number();
        if (take("²")) value *= value;
        return take("^") ? std::pow(value, number()) : value;
    }
    double number() {
        QString digits;
        while (at_ < text_.size() && (text_[at_].isDigit() || text_[at_] == u'.')) digits += text_[at_++];
        if (digits.isEmpty()) bad();
        if (take("e−")) {
            digits += QStringLiteral("e-");
            while (at_ < text_.size() && text_[at_].isDigit()) digits += text_[at_++];
        } else if (at_ + 1 < text_.size() && text_[at_] == u'e' && text_[at_ + 1].isDigit()) {
            digits += text_[at_++];
            while (at_ < text_.size() && text_[at_].isDigit()) digits += text_[at_++];
        }
        return digits.toDouble();
    }

    QString text_;
    Activation activation_;
    qsizetype at_ = 0;
    bool ok_ = true;
};

}  // namespace moe::test
