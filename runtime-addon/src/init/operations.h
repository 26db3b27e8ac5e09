#pragma once

#include <string>
#include <vector>

#include "result.h"
#include "root.h"

struct OperationKind {
  size_t arity;
  Result (*run)(Root&, const std::vector<std::string>& arguments);
};

// Null where there is no such operation.
const OperationKind* find_operation(const std::string& name);
