// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What callers see of kernels: the generated C header, and KernelInfo.

#include "Describe.h"
#include "attn/Compiler/Compiler.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace attn;
using llvm::StringRef;

//===-- Header ----------------------------------------------------------------------------------------------------===//

static StringRef nameOfExtent(int64_t extent) {
  switch (extent) {
  case ATTN_EXTENT_BATCH:
    return "batch";
  case ATTN_EXTENT_HEADS:
    return "heads";
  case ATTN_EXTENT_KV_HEADS:
    return "kv heads";
  case ATTN_EXTENT_QUERIES:
    return "length";
  case ATTN_EXTENT_KEYS:
    return "kv length";
  case ATTN_EXTENT_HEAD_SIZE:
    return "head size";
  default:
    return "any";
  }
}

static std::string extentsOf(const TensorArgument &tensor) {
  auto describe = [](int64_t extent) { return extent < 0 ? nameOfExtent(extent).str() : std::to_string(extent); };
  return "f32 [" + llvm::join(llvm::map_range(tensor.extents, describe), ", ") + "]";
}

static std::string shapeOf(const TensorArgument &tensor) {
  switch (tensor.role) {
  case ATTN_QUERY:
    return "[batch, heads, length, head size]";
  case ATTN_KEY:
    return "[batch, kv heads, kv length, head size]";
  case ATTN_VALUE:
    return "[batch, kv heads, kv length, value head size]";
  case ATTN_OUTPUT:
    return "[batch, heads, length, value head size]";
  case ATTN_LSE:
    return "f32 [batch, heads, length]; may be left out";
  case ATTN_TOKENS:
    return "int32 [tokens] or [batch, tokens], -1 pads: positions";
  case ATTN_SEGMENTS:
    return "int32 [positions] or [batch, positions]: segment ids";
  case ATTN_PER_HEAD:
    return "int32 [heads] or [batch, heads]: a number for each query head";
  case ATTN_BLOCKS:
    return "int32 [heads, query blocks, size] or [batch, heads, query blocks, size], -1 pads: key blocks";
  case ATTN_ARRAY:
    return extentsOf(tensor) + ": read by the score";
  case ATTN_STATE_IN:
    return extentsOf(tensor) + ": what earlier keys left; may be left out";
  case ATTN_STATE_OUT:
    return extentsOf(tensor) + ": written, the state after the last key; may be left out";
  default:
    return "int32 [batch]: a number of positions for each";
  }
}

static std::string describeLimits(const TensorArgument &tensor) {
  std::string text;
  if (tensor.defaultValues && tensor.role < ATTN_STATE_IN)
    text += "; default [" +
            llvm::join(llvm::map_range(*tensor.defaultValues, [](int32_t v) { return std::to_string(v); }), ", ") + "]";
  if (tensor.minimum)
    text += ", at least " + std::to_string(*tensor.minimum);
  return text;
}

static std::string describeScalar(const ScalarArgument &scalar) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (scalar.isNumber)
    os << llvm::format("number, default %g", scalar.defaultNumber);
  else
    os << "index, default " << scalar.defaultIndex;
  if (scalar.minimum)
    os << ", at least " << *scalar.minimum;
  return text;
}

/// " /* 0: rows of the grid >= rows of the neighborhood */"
static void writeRequirements(llvm::raw_ostream &os, const KernelLayout &layout) {
  for (auto [i, requirement] : llvm::enumerate(layout.requirements))
    os << (i == 0 ? " /* " : "; ") << i << ": " << requirement.getName() << " >= " << requirement.getLeastName();
  os << (layout.requirements.empty() ? "\n" : " */\n");
}

static void writeKernel(llvm::raw_ostream &os, const KernelLayout &layout, bool isForGpu) {
  std::string upper = StringRef(layout.name).upper();
  std::string element;
  llvm::raw_string_ostream(element) << layout.element;
  os << "/* " << layout.name << ": elements " << element << ", head size " << layout.headSize << ", value head size "
     << layout.valueHeadSize << ". */\n";
  os << "enum " << layout.name << "_tensor {\n";
  for (const TensorArgument &tensor : layout.tensors)
    os << "  " << upper << '_' << StringRef(tensor.name).upper() << ", /* " << shapeOf(tensor) << describeLimits(tensor)
       << " */\n";
  os << "  " << upper << "_TENSOR_COUNT\n};\n";
  if (!layout.scalars.empty()) {
    os << "enum " << layout.name << "_scalar {\n";
    for (const ScalarArgument &scalar : layout.scalars)
      os << "  " << upper << '_' << StringRef(scalar.name).upper() << ", /* " << describeScalar(scalar) << " */\n";
    os << "  " << upper << "_SCALAR_COUNT\n};\n";
  }
  os << "int " << layout.name << "(const attn_call *call);\n";
  os << "size_t " << layout.name << "_workspace_bytes(const attn_call *call);\n";
  os << "int " << layout.name << "_isa(const attn_call *call);\n";
  os << "int " << layout.name << "_requirement(const attn_call *call, int64_t numbers[2]);";
  writeRequirements(os, layout);
  if (isForGpu)
    os << "int " << layout.name << "_load(void **handle, int device);\n"
       << "int " << layout.name << "_unload(void *handle);\n";
  os << "extern const attn_kernel_info " << layout.name << "_info;\n\n";
}

std::string Compilation::emitHeader() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  std::string guard = "ATTN_KERNEL";
  for (const KernelSource &kernel : sources)
    guard += "_" + StringRef(kernel.layout.name).upper();
  os << "/* Generated by attn-compile. attn/Runtime/attn.h says how to call a kernel. */\n";
  os << "#ifndef " << guard << "_H\n#define " << guard << "_H\n\n#include \"attn/Runtime/attn.h\"\n\n";
  os << "#if ATTN_ABI_VERSION != " << ATTN_ABI_VERSION
     << "\n#error \"this header and attn/Runtime/attn.h are of different versions; compile the kernel "
        "again\"\n#endif\n\n";
  os << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
  for (const KernelSource &kernel : sources)
    writeKernel(os, kernel.layout, opts.target != "cpu");
  os << "#ifdef __cplusplus\n}\n#endif\n#endif\n";
  return text;
}

//===-- KernelInfo ------------------------------------------------------------------------------------------------===//

KernelInfo::KernelInfo(const KernelLayout &layout, StringRef targetName) : name(layout.name), target(targetName) {
  for (const TensorArgument &tensor : layout.tensors) {
    names.push_back(tensor.name);
    defaults.emplace_back();
    if (tensor.defaultValues)
      defaults.back().assign(tensor.defaultValues->begin(), tensor.defaultValues->end());
  }
  for (const ScalarArgument &scalar : layout.scalars)
    names.push_back(scalar.name);
  for (auto [i, tensor] : llvm::enumerate(layout.tensors)) {
    int32_t count = tensor.defaultValues ? static_cast<int32_t>(defaults[i].size()) : -1;
    attn_tensor_info &described = tensors.emplace_back();
    described = {names[i].c_str(),
                 tensor.role,
                 static_cast<int32_t>(tensor.extents.size()),
                 {},
                 tensor.minimum.value_or(std::numeric_limits<int64_t>::min()),
                 blockOf(layout, i),
                 count,
                 defaults[i].data()};
    llvm::copy(tensor.extents, described.extents);
  }
  for (auto [i, scalar] : llvm::enumerate(layout.scalars)) {
    attn_scalar value;
    if (scalar.isNumber)
      value.number = scalar.defaultNumber;
    else
      value.index = scalar.defaultIndex;
    scalars.push_back({names[tensors.size() + i].c_str(), scalar.isNumber,
                       scalar.minimum.value_or(std::numeric_limits<int64_t>::min()), value});
  }
  for (RequirementAttr requirement : layout.requirements)
    requirementNames.insert(requirementNames.end(), {requirement.getName().str(), requirement.getLeastName().str()});
  for (size_t i = 0; i < requirementNames.size(); i += 2)
    requirements.push_back({requirementNames[i].c_str(), requirementNames[i + 1].c_str()});
  int32_t element = layout.element.isBF16() ? ATTN_BF16 : layout.element.isF16() ? ATTN_F16 : ATTN_F32;
  info = {ATTN_ABI_VERSION,
          element,
          static_cast<int32_t>(layout.headSize),
          static_cast<int32_t>(layout.valueHeadSize),
          layout.isOneSequence,
          static_cast<int32_t>(tensors.size()),
          static_cast<int32_t>(scalars.size()),
          static_cast<int32_t>(requirements.size()),
          name.c_str(),
          target.c_str(),
          tensors.data(),
          scalars.data(),
          requirements.data(),
          nullptr,
          nullptr,
          nullptr,
          nullptr,
          nullptr,
          nullptr};
}
