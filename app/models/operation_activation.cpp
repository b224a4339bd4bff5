// What pages say of the experts' activation. Letters: a the sum of a hidden unit, h what it becomes.
#include "app/models/operation_reader.h"

namespace moe::app {

QString PageBuilder::activationOf(const QString& sum) const {
    switch (activation_) {
        case Activation::relu:
            return QStringLiteral("max( 0, %1 )").arg(sum);
        case Activation::linear:
            return sum;
        case Activation::gelu:
        case Activation::gelu_tanh:
            return QStringLiteral("gelu( %1 )").arg(sum);
        case Activation::tanh:
            return QStringLiteral("tanh( %1 )").arg(sum);
    }
    return sum;
}

QString PageBuilder::activationFormula() const {
    const QString sum = QStringLiteral("x W_{e} + b_{e}"), apart = QStringLiteral("     a_{e} = ") + sum;
    switch (activation_) {
        case Activation::gelu:
            return QStringLiteral("h_{e} = a_{e} · Φ( a_{e} )") + apart;
        case Activation::gelu_tanh:
            return QStringLiteral("h_{e} = a_{e} · ( 1 + tanh( .798 · ( a_{e} + .0447 a_{e}^{3} ) ) ) / 2") + apart;
        default:
            return QStringLiteral("h_{e} = ") + activationOf(sum);
    }
}

QString PageBuilder::activationNotice() const {
    switch (activation_) {
        case Activation::relu:
            return tr("What is below 0 becomes 0: a unit at 0 passes nothing on, and gets no gradient back.");
        case Activation::linear:
            return tr("Nothing is bent: the two layers of an expert can do no more than one.");
        case Activation::gelu:
            return tr(
                "Φ is the share of a normal distribution below a: far below 0 almost nothing is left, far above "
                "everything, and there is no kink between.");
        case Activation::gelu_tanh:
            return tr(
                "GELU, with a tanh that comes close to the normal distribution: far below 0 almost nothing is "
                "left, far above everything.");
        case Activation::tanh:
            return tr("Everything ends between −1 and 1: a unit says which side, and how surely.");
    }
    return {};
}

QString PageBuilder::slopeFormula() const {
    switch (activation_) {
        case Activation::gelu:
            return QStringLiteral("· ( Φ( a_{e} ) + a_{e} φ( a_{e} ) )");
        case Activation::gelu_tanh:
            return QStringLiteral(
                "· ( 1 + t + a_{e} ( 1 − t^{2} ) u' ) / 2     t = tanh( u )     "
                "u = .798 · ( a_{e} + .0447 a_{e}^{3} )");
        case Activation::tanh:
            return QStringLiteral("· ( 1 − h_{e}^{2} )");
        default:
            return {};
    }
}

QString PageBuilder::slopeNotice() const {
    switch (activation_) {
        case Activation::linear:
            return tr("The slope is 1 everywhere: each unit passes its gradient on as it is.");
        case Activation::tanh:
            return tr("The further a unit is from 0, the flatter the curve: near −1 and 1 almost nothing passes.");
        default:
            return tr(
                "Units far below 0 pass almost nothing back, those far above all of it; a little above 1 even "
                "more than all.");
    }
}

}  // namespace moe::app
