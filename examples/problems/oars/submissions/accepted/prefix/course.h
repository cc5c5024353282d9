#pragma once

#include <string>

long long straight_stretches(const std::string &log);
