// Module: something with named parameters, buffers and children. A module lists its members in one
// function; names, saving, optimisers and preparing all walk that list. Copies of a module share
// its parameters.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace soma {

class Module;

// The walk over a module's members: collects parameters and buffers under dotted names.
class Members {
 public:
  struct Parameter {
    std::string name;
    Variable* variable;
  };
  struct Buffer {
    std::string name;
    Tensor* tensor;
  };

  void parameter(const std::string& name, Variable& variable);  // skipped when undefined
  void buffer(const std::string& name, Tensor& tensor);         // skipped when undefined
  void child(const std::string& name, Module& module);

  const std::vector<Parameter>& parameters() const { return parameters_; }
  const std::vector<Buffer>& buffers() const { return buffers_; }

 private:
  std::string prefix_;
  std::vector<Parameter> parameters_;
  std::vector<Buffer> buffers_;
};

class Module {
 public:
  Module() = default;
  Module(const Module&) = default;
  Module& operator=(const Module&) = default;
  virtual ~Module() = default;
  virtual void list(Members& members) = 0;
};

Members members_of(Module& module);

// Parameters and buffers by name; the tensors are the module's own (clone them to keep a state).
std::map<std::string, Tensor> state_of(Module& module);
// Copies `state` into the module. Error naming the key when one is missing, left over or of
// another shape.
void load_state(Module& module, const std::map<std::string, Tensor>& state);

// Moves every parameter and buffer to `device`, for all copies that share them (their buffers do
// not). Gradients are dropped.
void move_to(Module& module, Device device);

}  // namespace soma
