#include "src/files/pickle.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <set>
#include <string>

#include "src/base/status.h"
#include "src/files/pickle_names.h"
#include "src/files/printable.h"
#include "src/files/tensor_table.h"

namespace toolformer {
namespace {

// The opcodes of Python's pickletools that torch.save writes; every other one is refused.
enum Opcode : uint8_t {
  kProto = 0x80,
  kFrame = 0x95,
  kStop = '.',
  kMark = '(',
  kNoneOp = 'N',
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kLong1 = 0x8a,
  kBinFloat = 'G',
  kShortBinString = 'U',
  kBinString = 'T',
  kShortBinUnicode = 0x8c,
  kBinUnicode = 'X',
  kBinUnicode8 = 0x8d,
  kShortBinBytes = 'C',
  kBinBytes = 'B',
  kEmptyTuple = ')',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kTupleOp = 't',
  kEmptyList = ']',
  kAppend = 'a',
  kAppends = 'e',
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kMemoize = 0x94,
  kBinGet = 'h',
  kLongBinGet = 'j',
  kGlobalOp = 'c',
  kStackGlobal = 0x93,
  kBinPersId = 'Q',
  kReduce = 'R',
  kNewObj = 0x81,
  kBuild = 'b',
};

constexpr PickleId kNoneId = 0, kFalseId = 1, kTrueId = 2, kEmptyTupleId = 3;
constexpr PickleId kUnset = std::numeric_limits<PickleId>::max();
constexpr size_t kMaxGlobalBytes = 1000;

PickleValue Value(PickleKind kind, size_t index = 0) {
  PickleValue value;
  value.kind = kind;
  value.index = static_cast<uint32_t>(index);
  return value;
}

class Machine {
 public:
  Machine(std::span<const uint8_t> bytes, uint64_t begin) : bytes_(bytes), at_(begin) {
    pickle_.values.resize(4);
    pickle_.values[kFalseId].kind = pickle_.values[kTrueId].kind = PickleKind::kBool;
    pickle_.values[kTrueId].integer = 1;
    pickle_.values[kEmptyTupleId].kind = PickleKind::kTuple;
    pickle_.items.resize(1);
  }

  absl::StatusOr<Pickle> Run() {
    const uint64_t begin = at_;
    for (bool stopped = false; !stopped;) {
      if (at_ - begin > kMaxPickleBytes) {
        return ResourceExhausted("byte {}: the pickle exceeds {} bytes", at_, kMaxPickleBytes);
      }
      step_at_ = at_;
      TF_RETURN_IF_ERROR(Need(1));
      const uint8_t opcode = bytes_[at_++];
      if (begin == step_at_ && opcode != kProto) return Fault("a pickle of protocol 2 to 5 does not begin here");
      stopped = opcode == kStop;
      if (!stopped) TF_RETURN_IF_ERROR(Step(opcode));
    }
    if (stack_.size() != 1 || !marks_.empty()) return Fault("the pickle ends with {} values", stack_.size());
    pickle_.root = pickle_.values[stack_.back()];
    pickle_.end = at_;
    return std::move(pickle_);
  }

 private:
  template <typename... Args>
  absl::Status Fault(fmt::format_string<Args...> format, Args&&... args) const {
    return absl::InvalidArgumentError(fmt::format("byte {}: ", step_at_) +
                                      fmt::format(format, std::forward<Args>(args)...));
  }

  absl::Status Step(uint8_t opcode);
  absl::Status StepPlain(uint8_t opcode);
  absl::Status StepText(uint8_t opcode);
  absl::Status StepContainer(uint8_t opcode);
  absl::Status StepMemo(uint8_t opcode);
  absl::Status StepTensor(uint8_t opcode);

  absl::Status Need(uint64_t size) const {
    if (size <= bytes_.size() - at_) return absl::OkStatus();
    return Fault("{} bytes are needed, {} remain", size, bytes_.size() - at_);
  }
  template <typename T>
  absl::StatusOr<T> Number() {
    TF_RETURN_IF_ERROR(Need(sizeof(T)));
    T number;
    std::memcpy(&number, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return number;
  }
  absl::StatusOr<std::string_view> Text(uint64_t size) {
    TF_RETURN_IF_ERROR(Need(size));
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + at_, size);
    at_ += size;
    return text;
  }
  absl::StatusOr<std::string_view> Line() {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + at_,
                                std::min<uint64_t>(bytes_.size() - at_, kMaxGlobalBytes));
    const size_t length = rest.find('\n');
    if (length == std::string_view::npos) return Fault("a name does not end within {} bytes", rest.size());
    at_ += length + 1;
    return rest.substr(0, length);
  }

  absl::Status PushId(PickleId id) {
    if (stack_.size() == kMaxPickleStack) {
      return ResourceExhausted("byte {}: more than {} values on the stack", step_at_, kMaxPickleStack);
    }
    stack_.push_back(id);
    return absl::OkStatus();
  }
  absl::Status Push(const PickleValue& value) {
    if (pickle_.values.size() == kMaxPickleValues) {
      return ResourceExhausted("byte {}: more than {} values", step_at_, kMaxPickleValues);
    }
    pickle_.values.push_back(value);
    return PushId(static_cast<PickleId>(pickle_.values.size() - 1));
  }
  absl::Status PushInteger(int64_t number) {
    PickleValue value = Value(PickleKind::kInteger);
    value.integer = number;
    return Push(value);
  }
  absl::Status PushText(PickleKind kind, std::string_view text) {
    PickleValue value = Value(kind);
    value.text = text;
    return Push(value);
  }
  absl::Status PushItems(PickleKind kind, std::vector<PickleId> items) {
    pickle_.items.push_back(std::move(items));
    return Push(Value(kind, pickle_.items.size() - 1));
  }

  // How many values lie above the last mark.
  size_t Depth() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }
  absl::StatusOr<PickleId> Pop() {
    if (Depth() == 0) return Fault("the stack is empty");
    const PickleId id = stack_.back();
    stack_.pop_back();
    return id;
  }
  // The values above the last mark, which goes too.
  absl::StatusOr<std::vector<PickleId>> PopToMark() {
    if (marks_.empty()) return Fault("there is no mark");
    const size_t begin = marks_.back();
    marks_.pop_back();
    return TakeFrom(begin);
  }
  std::vector<PickleId> TakeFrom(size_t begin) {
    std::vector<PickleId> taken(stack_.begin() + static_cast<std::ptrdiff_t>(begin), stack_.end());
    stack_.resize(begin);
    return taken;
  }

  const PickleValue& At(PickleId id) const { return pickle_.values[id]; }
  absl::Status AddItems(PickleKind kind, std::span<const PickleId> added);
  absl::Status PushGlobal(std::string_view module, std::string_view name);
  absl::Status PushStorage(PickleId id);
  absl::Status PushObject(PickleId type, PickleId arguments);
  absl::Status Call(PickleId callee, PickleId arguments);
  absl::Status PushTensor(const PickleName& callee, std::span<const PickleId> arguments);
  absl::StatusOr<std::vector<int64_t>> Sizes(std::string_view what, PickleId id) const;
  absl::Status CheckTensorState(PickleId id) const;

  const std::span<const uint8_t> bytes_;
  uint64_t at_;
  uint64_t step_at_ = 0;  // of the opcode being done
  Pickle pickle_;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;
  std::vector<PickleId> memo_;
  std::vector<const PickleName*> names_;
  std::set<uint32_t> objects_;  // their attributes' indices in Pickle::items
};

absl::Status Machine::Step(uint8_t opcode) {
  switch (opcode) {
    case kProto: {
      TF_ASSIGN_OR_RETURN(const uint8_t version, Number<uint8_t>());
      if (version >= 2 && version <= 5) return absl::OkStatus();
      return Unimplemented("byte {}: pickle protocol {} is not supported; supported are 2 to 5", step_at_, version);
    }
    case kFrame:  // the length of what follows: of use to streams only
      return Number<uint64_t>().status();
    case kNoneOp:
    case kNewTrue:
    case kNewFalse:
    case kBinInt:
    case kBinInt1:
    case kBinInt2:
    case kLong1:
    case kBinFloat:
      return StepPlain(opcode);
    case kShortBinString:
    case kBinString:
    case kShortBinUnicode:
    case kBinUnicode:
    case kBinUnicode8:
    case kShortBinBytes:
    case kBinBytes:
      return StepText(opcode);
    case kMark:
    case kEmptyTuple:
    case kTuple1:
    case kTuple2:
    case kTuple3:
    case kTupleOp:
    case kEmptyList:
    case kAppend:
    case kAppends:
    case kEmptyDict:
    case kSetItem:
    case kSetItems:
      return StepContainer(opcode);
    case kBinPut:
    case kLongBinPut:
    case kMemoize:
    case kBinGet:
    case kLongBinGet:
      return StepMemo(opcode);
    case kGlobalOp:
    case kStackGlobal:
    case kBinPersId:
    case kReduce:
    case kNewObj:
    case kBuild:
      return StepTensor(opcode);
    default:
      return Unimplemented("byte {}: opcode {:#04x} does more than tensors need; only tensors are read", step_at_,
                           opcode);
  }
}

absl::Status Machine::StepPlain(uint8_t opcode) {
  switch (opcode) {
    case kNoneOp:
      return PushId(kNoneId);
    case kNewTrue:
      return PushId(kTrueId);
    case kNewFalse:
      return PushId(kFalseId);
    case kBinInt: {
      TF_ASSIGN_OR_RETURN(const int32_t number, Number<int32_t>());
      return PushInteger(number);
    }
    case kBinInt1: {
      TF_ASSIGN_OR_RETURN(const uint8_t number, Number<uint8_t>());
      return PushInteger(number);
    }
    case kBinInt2: {
      TF_ASSIGN_OR_RETURN(const uint16_t number, Number<uint16_t>());
      return PushInteger(number);
    }
    case kLong1: {
      TF_ASSIGN_OR_RETURN(const uint8_t size, Number<uint8_t>());
      TF_ASSIGN_OR_RETURN(const std::string_view digits, Text(size));
      if (size > sizeof(int64_t)) return PushText(PickleKind::kBytes, digits);
      int64_t number = !digits.empty() && (digits.back() & 0x80) != 0 ? -1 : 0;
      std::memcpy(&number, digits.data(), digits.size());
      return PushInteger(number);
    }
    default: {  // kBinFloat, the only number that is stored big-endian
      TF_ASSIGN_OR_RETURN(const uint64_t bits, Number<uint64_t>());
      PickleValue value = Value(PickleKind::kReal);
      value.real = std::bit_cast<double>(__builtin_bswap64(bits));
      return Push(value);
    }
  }
}

absl::Status Machine::StepText(uint8_t opcode) {
  uint64_t size = 0;
  if (opcode == kShortBinString || opcode == kShortBinUnicode || opcode == kShortBinBytes) {
    TF_ASSIGN_OR_RETURN(size, Number<uint8_t>());
  } else if (opcode == kBinUnicode8) {
    TF_ASSIGN_OR_RETURN(size, Number<uint64_t>());
  } else {
    TF_ASSIGN_OR_RETURN(size, Number<uint32_t>());
  }
  TF_ASSIGN_OR_RETURN(const std::string_view text, Text(size));
  const bool is_bytes = opcode == kShortBinBytes || opcode == kBinBytes;
  return PushText(is_bytes ? PickleKind::kBytes : PickleKind::kText, text);
}

absl::Status Machine::StepContainer(uint8_t opcode) {
  switch (opcode) {
    case kMark:
      if (marks_.size() == kMaxPickleStack) {
        return ResourceExhausted("byte {}: more than {} marks", step_at_, kMaxPickleStack);
      }
      marks_.push_back(stack_.size());
      return absl::OkStatus();
    case kEmptyTuple:
      return PushId(kEmptyTupleId);
    case kTuple1:
    case kTuple2:
    case kTuple3: {
      const size_t count = opcode - kTuple1 + 1u;
      if (Depth() < count) return Fault("the stack has {} values of {}", Depth(), count);
      return PushItems(PickleKind::kTuple, TakeFrom(stack_.size() - count));
    }
    case kTupleOp: {
      TF_ASSIGN_OR_RETURN(std::vector<PickleId> items, PopToMark());
      return PushItems(PickleKind::kTuple, std::move(items));
    }
    case kEmptyList:
      return PushItems(PickleKind::kList, {});
    case kEmptyDict:
      return PushItems(PickleKind::kDict, {});
    case kAppend: {
      TF_ASSIGN_OR_RETURN(const PickleId item, Pop());
      return AddItems(PickleKind::kList, {&item, 1});
    }
    case kSetItem: {
      if (Depth() < 2) return Fault("the stack has {} values of 2", Depth());
      return AddItems(PickleKind::kDict, TakeFrom(stack_.size() - 2));
    }
    default: {  // kAppends, kSetItems
      TF_ASSIGN_OR_RETURN(const std::vector<PickleId> items, PopToMark());
      return AddItems(opcode == kAppends ? PickleKind::kList : PickleKind::kDict, items);
    }
  }
}

// To the list or dictionary on top of the stack.
absl::Status Machine::AddItems(PickleKind kind, std::span<const PickleId> added) {
  if (Depth() == 0 || At(stack_.back()).kind != kind) {
    return Fault("there is no {} to add to", kind == PickleKind::kList ? "list" : "dictionary");
  }
  if (kind == PickleKind::kDict && added.size() % 2 != 0) return Fault("a key has no value");
  std::vector<PickleId>& items = pickle_.items[At(stack_.back()).index];
  items.insert(items.end(), added.begin(), added.end());
  return absl::OkStatus();
}

absl::Status Machine::StepMemo(uint8_t opcode) {
  uint64_t slot = memo_.size();
  if (opcode == kBinPut || opcode == kBinGet) {
    TF_ASSIGN_OR_RETURN(slot, Number<uint8_t>());
  } else if (opcode != kMemoize) {
    TF_ASSIGN_OR_RETURN(slot, Number<uint32_t>());
  }
  if (opcode == kBinGet || opcode == kLongBinGet) {
    if (slot >= memo_.size() || memo_[slot] == kUnset) return Fault("nothing was remembered as {}", slot);
    return PushId(memo_[slot]);
  }
  if (slot >= kMaxPickleValues) {
    return ResourceExhausted("byte {}: memo {}, more than the limit of {}", step_at_, slot, kMaxPickleValues);
  }
  if (Depth() == 0) return Fault("the stack is empty");
  if (slot >= memo_.size()) memo_.resize(slot + 1, kUnset);
  memo_[slot] = stack_.back();
  return absl::OkStatus();
}

absl::Status Machine::StepTensor(uint8_t opcode) {
  switch (opcode) {
    case kGlobalOp: {
      TF_ASSIGN_OR_RETURN(const std::string_view module, Line());
      TF_ASSIGN_OR_RETURN(const std::string_view name, Line());
      return PushGlobal(module, name);
    }
    case kStackGlobal: {
      TF_ASSIGN_OR_RETURN(const PickleId name, Pop());
      TF_ASSIGN_OR_RETURN(const PickleId module, Pop());
      if (At(module).kind != PickleKind::kText || At(name).kind != PickleKind::kText) {
        return Fault("a name is no text");
      }
      return PushGlobal(At(module).text, At(name).text);
    }
    case kBinPersId: {
      TF_ASSIGN_OR_RETURN(const PickleId id, Pop());
      return PushStorage(id);
    }
    case kReduce: {
      TF_ASSIGN_OR_RETURN(const PickleId arguments, Pop());
      TF_ASSIGN_OR_RETURN(const PickleId callee, Pop());
      return Call(callee, arguments);
    }
    case kNewObj: {
      TF_ASSIGN_OR_RETURN(const PickleId arguments, Pop());
      TF_ASSIGN_OR_RETURN(const PickleId type, Pop());
      return PushObject(type, arguments);
    }
    default: {  // kBuild: state_dict() leaves its _metadata on the dictionary
      TF_ASSIGN_OR_RETURN(const PickleId state, Pop());
      if (Depth() == 0 || At(stack_.back()).kind != PickleKind::kDict) {
        return Fault("state is set on what is no dictionary; only tensors are read");
      }
      if (!objects_.contains(At(stack_.back()).index)) return absl::OkStatus();
      if (At(state).kind != PickleKind::kDict) return Fault("the attributes of an object are no dictionary");
      // A copy: the state may be the object itself.
      const std::vector<PickleId> attributes = pickle_.items[At(state).index];
      return AddItems(PickleKind::kDict, attributes);
    }
  }
}

absl::Status Machine::PushGlobal(std::string_view module, std::string_view name) {
  const PickleName* known = FindPickleName(module, name);
  if (known == nullptr) {
    return Fault("refers to '{}.{}'; only tensors are read, save the state_dict() alone", Printable(module),
                 Printable(name));
  }
  names_.push_back(known);
  return Push(Value(PickleKind::kGlobal, names_.size() - 1));
}

// ("storage", type, key, device, count), and for old files a sixth: what part of another storage this is.
absl::Status Machine::PushStorage(PickleId id) {
  const auto fault = [&] { return Fault("refers to something outside the pickle that is no storage of torch.save"); };
  if (At(id).kind != PickleKind::kTuple) return fault();
  const std::span<const PickleId> parts = pickle_.ItemsOf(At(id));
  if (parts.size() < 5 || parts.size() > 6) return fault();
  const PickleValue &tag = At(parts[0]), &type = At(parts[1]), &key = At(parts[2]), &count = At(parts[4]);
  if (tag.kind != PickleKind::kText || tag.text != "storage" || type.kind != PickleKind::kGlobal ||
      key.kind != PickleKind::kText || count.kind != PickleKind::kInteger) {
    return fault();
  }
  const PickleName& name = *names_[type.index];
  if (name.role != PickleRole::kStorage && name.role != PickleRole::kUntypedStorage) return fault();
  if (count.integer < 0) return Fault("storage '{}' has {} elements", Printable(key.text), count.integer);
  if (parts.size() == 6 && At(parts[5]).kind != PickleKind::kNone) {
    return Unimplemented("byte {}: storage '{}' is part of another; save the tensors with torch 1.6 or later", step_at_,
                         Printable(key.text));
  }
  const TensorType* element = name.role == PickleRole::kStorage ? FindSafetensorsType(name.type) : nullptr;
  pickle_.storages.push_back({key.text, element, count.integer});
  return Push(Value(PickleKind::kStorage, pickle_.storages.size() - 1));
}

// An object without attributes yet; nothing is constructed.
absl::Status Machine::PushObject(PickleId type, PickleId arguments) {
  if (At(type).kind != PickleKind::kGlobal || names_[At(type).index]->role != PickleRole::kNamespace ||
      At(arguments).kind != PickleKind::kTuple || !pickle_.ItemsOf(At(arguments)).empty()) {
    return Fault("makes an object; only tensors are read, save the state_dict() alone");
  }
  TF_RETURN_IF_ERROR(PushItems(PickleKind::kDict, {}));
  objects_.insert(At(stack_.back()).index);
  return absl::OkStatus();
}

absl::Status Machine::Call(PickleId callee, PickleId arguments) {
  if (At(callee).kind != PickleKind::kGlobal || At(arguments).kind != PickleKind::kTuple) {
    return Fault("calls what is no name; only tensors are read");
  }
  const PickleName& name = *names_[At(callee).index];
  const std::span<const PickleId> given = pickle_.ItemsOf(At(arguments));
  switch (name.role) {
    case PickleRole::kOrderedDict:
      if (!given.empty()) return Fault("collections.OrderedDict is given {} arguments where none belong", given.size());
      return PushItems(PickleKind::kDict, {});
    case PickleRole::kSize:
      if (given.size() != 1 || At(given[0]).kind != PickleKind::kTuple) return Fault("torch.Size is given no tuple");
      return PushId(given[0]);
    case PickleRole::kTensor:
    case PickleRole::kTensorV3:
      return PushTensor(name, given);
    case PickleRole::kParameter:
      if (given.empty() || At(given[0]).kind != PickleKind::kTensor) return Fault("{} is given no tensor", name.name);
      return PushId(given[0]);
    case PickleRole::kDevice:
      if (given.empty() || At(given[0]).kind != PickleKind::kText) return Fault("torch.device is given no name");
      return PushId(given[0]);
    case PickleRole::kNamespace:
    case PickleRole::kStorage:
    case PickleRole::kUntypedStorage:
    case PickleRole::kElementType:
      break;
  }
  return Fault("calls '{}.{}'; only tensors are read", name.module, name.name);
}

absl::Status Machine::PushTensor(const PickleName& callee, std::span<const PickleId> arguments) {
  // (storage, offset, shape, strides, requires_grad, hooks), then the type in version 3, then the state.
  const size_t state_at = callee.role == PickleRole::kTensorV3 ? 7 : 6;
  if (arguments.size() < (state_at == 7 ? 7u : 4u) || arguments.size() > state_at + 1) {
    return Fault("{} is given {} arguments", callee.name, arguments.size());
  }
  const PickleValue &storage = At(arguments[0]), &offset = At(arguments[1]);
  if (storage.kind != PickleKind::kStorage || offset.kind != PickleKind::kInteger || offset.integer < 0) {
    return Fault("{} is given no storage and offset", callee.name);
  }
  PickledTensor tensor;
  tensor.storage = storage.index;
  tensor.type = pickle_.storages[storage.index].type;
  tensor.offset = offset.integer;
  if (state_at == 7) {
    const PickleValue& type = At(arguments[6]);
    if (type.kind != PickleKind::kGlobal || names_[type.index]->role != PickleRole::kElementType) {
      return Fault("{} is given no element type", callee.name);
    }
    tensor.type = FindSafetensorsType(names_[type.index]->type);
  }
  if (tensor.type == nullptr) return Fault("{}: the storage has no element type", callee.name);
  if (arguments.size() > state_at) TF_RETURN_IF_ERROR(CheckTensorState(arguments[state_at]));
  TF_ASSIGN_OR_RETURN(tensor.shape, Sizes("shape", arguments[2]));
  TF_ASSIGN_OR_RETURN(tensor.strides, Sizes("strides", arguments[3]));
  if (tensor.shape.size() != tensor.strides.size()) {
    return Fault("a tensor of {} dimensions has {} strides", tensor.shape.size(), tensor.strides.size());
  }
  if (pickle_.tensors.size() == kMaxPickleTensors) {
    return ResourceExhausted("byte {}: more than {} tensors", step_at_, kMaxPickleTensors);
  }
  pickle_.tensors.push_back(std::move(tensor));
  return Push(Value(PickleKind::kTensor, pickle_.tensors.size() - 1));
}

absl::StatusOr<std::vector<int64_t>> Machine::Sizes(std::string_view what, PickleId id) const {
  if (At(id).kind != PickleKind::kTuple) return Fault("a tensor's {} is no tuple", what);
  const std::span<const PickleId> items = pickle_.ItemsOf(At(id));
  if (items.size() > kMaxRank) return Fault("a tensor's {} has more than {} dimensions", what, kMaxRank);
  std::vector<int64_t> sizes;
  for (const PickleId item : items) {
    if (At(item).kind != PickleKind::kInteger) return Fault("a tensor's {} holds no integer", what);
    if (At(item).integer < 0) return Fault("a tensor's {} holds {}", what, At(item).integer);
    sizes.push_back(At(item).integer);
  }
  return sizes;
}

// Views whose numbers are not those of the storage: {"neg": True}, {"conj": True}.
absl::Status Machine::CheckTensorState(PickleId id) const {
  if (At(id).kind == PickleKind::kNone) return absl::OkStatus();
  if (At(id).kind != PickleKind::kDict) return Fault("a tensor's state is no dictionary");
  const std::span<const PickleId> items = pickle_.ItemsOf(At(id));
  for (size_t i = 0; i < items.size(); i += 2) {
    if (items[i + 1] == kFalseId) continue;
    return Unimplemented("byte {}: a tensor with the state '{}' is not supported; save a clone() of it", step_at_,
                         Printable(At(items[i]).text));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Pickle> ReadPickle(std::span<const uint8_t> bytes, uint64_t begin) {
  return Machine(bytes, begin).Run();
}

}  // namespace toolformer
