#pragma once
#include <stdexcept>
#include <string>

namespace moe {

/// Something that a person can act on: one sentence that says what is wrong, where, and what to do.
/// Every failure of the engine is one of these; nothing under engine/ exits or prints.
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The request itself is malformed (an unknown key, a value that is not a number): exit code 2 on the command line.
class UsageError : public Error {
public:
    using Error::Error;
};

/// The device that computes failed, or has no memory left; what was asked of it is not done. Another backend can go on
/// from what the host has.
class DeviceFailure : public Error {
public:
    using Error::Error;
};

}  // namespace moe
