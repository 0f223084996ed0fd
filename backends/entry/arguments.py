"""Parts of the native way into functions: arguments, looked at and converted; and a turn, taken and given back.

In the language of `entry/text`.
"""

from __future__ import annotations

ARGUMENT_TEXT = """
; How far arrays that stand one after another, those of the leaves from %first on, have the dtypes, axes and flags asked
; for. Their addresses, and where their extents stand, are written down. Whatever differs leaves the loop: with four jumps
; that are taken, not one, an array took twice as long.
define internal i64 @arrays(ptr %table, ptr %from, i64 %first, i64 %end, ptr %buffers, ptr %shapes) nounwind {
entry:
  %api = at ptr, %table + API
  %array_type = at ptr, %api + ARRAY_TYPE
  %leaf = at ptr, %table + LEAF
  %first_at = mul i64 %first, SPEC_BYTES
  %first_spec = getelementptr i8, ptr %leaf, i64 %first_at
  br label %next
next:
  %k = phi i64 [ %first, %entry ], [ %k1, %note ]
  %at = phi ptr [ %from, %entry ], [ %next_at, %note ]
  %spec = phi ptr [ %first_spec, %entry ], [ %next_spec, %note ]
  %array = load ptr, ptr %at
  %type = at ptr, %array + TYPE
  %is_array = icmp eq ptr %type, %array_type
  br i1 %is_array, label %known, label %bad
known:
  %descr = at ptr, %array + DESCR
  %dtype = at ptr, %spec + DTYPE
  %same = icmp eq ptr %descr, %dtype
  br i1 %same, label %form, label %equal
equal:
  %as_good = call preserve_mostcc i1 @same_dtype(ptr %descr, ptr %dtype)
  br i1 %as_good, label %form, label %bad
form:
  %nd = at i32, %array + NDIM
  %axes = at i32, %spec + AXES
  %as_many = icmp eq i32 %nd, %axes
  br i1 %as_many, label %order, label %bad
order:
  %flags = at i32, %array + FLAGS
  %wanted = at i32, %spec + WANTED
  %set = and i32 %flags, %wanted
  %orderly = icmp eq i32 %set, %wanted
  br i1 %orderly, label %note, label %bad
note:
  %data = at ptr, %array + DATA
  %place = at i64, %spec + PLACE
  %slot = getelementptr ptr, ptr %buffers, i64 %place
  store ptr %data, ptr %slot
  %dims = at ptr, %array + DIMS
  %shape = getelementptr ptr, ptr %shapes, i64 %k
  store ptr %dims, ptr %shape
  %k1 = add nuw nsw i64 %k, 1
  %next_at = getelementptr i8, ptr %at, i64 8
  %next_spec = getelementptr i8, ptr %spec, i64 SPEC_BYTES
  %more = icmp ult i64 %k1, %end
  br i1 %more, label %next, label %all
bad:
  ret i64 %k
all:
  ret i64 %k1
}

; Whether two dtypes are equal though not one object: that of an unpickled array, for example.
define internal preserve_mostcc i1 @same_dtype(ptr %descr, ptr %wanted) nounwind cold {
entry:
  %scalar = at ptr, %descr + SCALAR_TYPE
  %own_scalar = at ptr, %wanted + SCALAR_TYPE
  %order = at i8, %descr + BYTE_ORDER
  %own_order = at i8, %wanted + BYTE_ORDER
  %same_scalar = icmp eq ptr %scalar, %own_scalar
  %same_order = icmp eq i8 %order, %own_order
  %same = and i1 %same_scalar, %same_order
  ret i1 %same
}

; Whether no other array of a list lies in the memory of array %own of it.
define internal i1 @apart(i64 %own, ptr %list, i64 %count, ptr %buffers, ptr %shapes) nounwind {
entry:
  %own_at = mul i64 %own, SPEC_BYTES
  %spec = getelementptr i8, ptr %list, i64 %own_at
  %place = at i64, %spec + PLACE
  %start = item i64, %buffers[%place]
  %shape = item ptr, %shapes[%own]
  %length = call i64 @length(ptr %spec, ptr %shape)
  %stop = add i64 %start, %length
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k1, %free ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %look, label %end
look:
  %at = mul i64 %k, SPEC_BYTES
  %other = getelementptr i8, ptr %list, i64 %at
  %there = at i64, %other + PLACE
  %its_start = item i64, %buffers[%there]
  %its_shape = item ptr, %shapes[%k]
  %its_length = call i64 @length(ptr %other, ptr %its_shape)
  %its_stop = add i64 %its_start, %its_length
  %itself = icmp eq i64 %k, %own
  %before = icmp ule i64 %its_stop, %start
  %behind = icmp uge i64 %its_start, %stop
  %outside = or i1 %before, %behind
  %good = or i1 %outside, %itself
  br i1 %good, label %free, label %meets
free:
  %k1 = add nuw nsw i64 %k, 1
  br label %next
meets:
  ret i1 false
end:
  ret i1 true
}

; The bytes of an array of these extents.
define internal i64 @length(ptr %spec, ptr %shape) nounwind {
entry:
  %axes = at i64, %spec + AXES
  %item = at i64, %spec + ITEM
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k1, %times ]
  %bytes = phi i64 [ %item, %entry ], [ %product, %times ]
  %more = icmp ult i64 %k, %axes
  br i1 %more, label %times, label %end
times:
  %n = item i64, %shape[%k]
  %product = mul i64 %bytes, %n
  %k1 = add nuw nsw i64 %k, 1
  br label %next
end:
  ret i64 %bytes
}

; Where the value of a number lies, written to %slot if it must be converted; null where only Python can tell.
define internal ptr @number(ptr %spec, ptr %object, ptr %type, ptr %slot, ptr %api) nounwind {
entry:
  %overflow = alloca i32
  %scalar = at ptr, %spec + SCALAR
  %exact = icmp eq ptr %type, %scalar
  br i1 %exact, label %inside, label %python
inside:  ; NumPy's own scalar of the dtype, or a Python float for float64: the number follows the object's head
  %value = getelementptr i8, ptr %object, i64 HEAD
  ret ptr %value
python:
  %takes = at i64, %spec + NUMBER
  switch i64 %takes, label %miss [ i64 IS_INTEGER, label %whole i64 IS_FLOAT64, label %float i64 IS_FLOAT32, label %float ]
float:
  %float_type = at ptr, %api + FLOAT_TYPE
  %is_float = icmp eq ptr %type, %float_type
  br i1 %is_float, label %wide, label %whole
wide:
  %is_wide = icmp eq i64 %takes, IS_FLOAT64
  br i1 %is_wide, label %inside, label %narrow
narrow:  ; a number that float32 does not hold is an error, which is Python's to tell
  %x = at double, %object + HEAD
  %y = fptrunc double %x to float
  %abs_x = call double @llvm.fabs.f64(double %x)
  %abs_y = call float @llvm.fabs.f32(float %y)
  %finite = fcmp one double %abs_x, 0x7FF0000000000000
  %lost = fcmp oeq float %abs_y, 0x7FF0000000000000
  %wrong = and i1 %finite, %lost
  store float %y, ptr %slot
  br i1 %wrong, label %miss, label %done
whole:
  %bool_type = at ptr, %api + BOOL_TYPE
  %is_bool = icmp eq ptr %type, %bool_type
  br i1 %is_bool, label %truth, label %maybe
truth:
  %true = at ptr, %api + TRUE
  %yes = icmp eq ptr %object, %true
  %bit = zext i1 %yes to i64
  br label %found
maybe:
  %int_type = at ptr, %api + INT_TYPE
  %is_int = icmp eq ptr %type, %int_type
  br i1 %is_int, label %integer, label %miss
integer:
  %read = call i64 @PyLong_AsLongLongAndOverflow(ptr %object, ptr %overflow)
  %outside = load i32, ptr %overflow
  %held = icmp eq i32 %outside, 0
  br i1 %held, label %found, label %miss
found:
  %n = phi i64 [ %bit, %truth ], [ %read, %integer ]
  switch i64 %takes, label %miss [ i64 IS_INTEGER, label %range i64 IS_FLOAT64, label %to64 i64 IS_FLOAT32, label %to32 ]
range:
  %low = at i64, %spec + LOW
  %high = at i64, %spec + HIGH
  %above = icmp sge i64 %n, %low
  %below = icmp sle i64 %n, %high
  %within = and i1 %above, %below
  store i64 %n, ptr %slot
  br i1 %within, label %done, label %miss
to64:
  %n64 = sitofp i64 %n to double
  store double %n64, ptr %slot
  br label %done
to32:
  %n32 = sitofp i64 %n to float
  store float %n32, ptr %slot
  br label %done
done:
  ret ptr %slot
miss:
  ret ptr null
}
"""

TURN_TEXT = """
; A Turn that holds the shared values for this thread: a free one of the function's, or null if all are in use; the
; table itself stands for an exception. Called only where nobody is in the way.
define internal ptr @claim(ptr %table, ptr %api) nounwind {
entry:
  %count = at i64, %table + TURNS
  %turns = at ptr, %table + TURN
  br label %search
search:
  %k = phi i64 [ 0, %entry ], [ %k1, %busy ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %look, label %none
look:
  %offset = mul i64 %k, TURN_BYTES
  %turn = getelementptr i8, ptr %turns, i64 %offset
  %in_use = at i64, %turn + BUSY
  %free = icmp eq i64 %in_use, 0
  br i1 %free, label %mine, label %busy
busy:
  %k1 = add i64 %k, 1
  br label %search
none:
  ret ptr null
mine:
  %claim = at ptr, %turn + CLAIM
  %ident = call i64 @PyThread_get_thread_ident()
  %before = at i64, %turn + IDENT
  %same = icmp eq i64 %ident, %before
  br i1 %same, label %enlist, label %rename
rename:
  %number = call ptr @PyLong_FromSize_t(i64 %ident)
  %no_number = icmp eq ptr %number, null
  br i1 %no_number, label %error, label %assign
assign:
  %thread = at ptr, %api + THREAD
  %unset = call i32 @PyObject_SetAttr(ptr %claim, ptr %thread, ptr %number)
  call void @Py_DecRef(ptr %number)
  %assigned = icmp eq i32 %unset, 0
  br i1 %assigned, label %renamed, label %error
renamed:
  set i64 %ident, %turn + IDENT
  br label %enlist
enlist:
  set i64 1, %turn + BUSY
  %sets = at i64, %table + SETS
  %list = at ptr, %table + SET
  br label %join
join:
  %j = phi i64 [ 0, %enlist ], [ %j1, %add ]
  %rest = icmp ult i64 %j, %sets
  br i1 %rest, label %add, label %done
add:
  %one = item ptr, %list[%j]
  %bad = call i32 @PySet_Add(ptr %one, ptr %claim)
  %j1 = add i64 %j, 1
  %added = icmp eq i32 %bad, 0
  br i1 %added, label %join, label %undo
undo:
  %left = call i1 @leave(ptr %table, ptr %turn)
  br label %error
done:
  ret ptr %turn
error:
  ret ptr %table
}

; Nobody holds the values by this turn any more, and those who wait are told. An exception that is set stays so; false
; where telling raised one.
define internal i1 @leave(ptr %table, ptr %turn) nounwind {
entry:
  %kind = alloca ptr
  %value = alloca ptr
  %trace = alloca ptr
  call void @PyErr_Fetch(ptr %kind, ptr %value, ptr %trace)
  %claim = at ptr, %turn + CLAIM
  %sets = at i64, %table + SETS
  %list = at ptr, %table + SET
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k1, %drop ]
  %more = icmp ult i64 %k, %sets
  br i1 %more, label %drop, label %done
drop:
  %one = item ptr, %list[%k]
  %found = call i32 @PySet_Discard(ptr %one, ptr %claim)
  %k1 = add i64 %k, 1
  br label %next
done:
  set i64 0, %turn + BUSY
  %waiting = at ptr, %table + QUEUE
  %queued = at i64, %waiting + DICT_USED
  %nobody = icmp eq i64 %queued, 0
  br i1 %nobody, label %restore, label %ring
ring:
  %wake = at ptr, %table + WAKE
  %rung = call ptr @PyObject_CallNoArgs(ptr %wake)
  %unheard = icmp eq ptr %rung, null
  br i1 %unheard, label %raised, label %heard
heard:
  call void @Py_DecRef(ptr %rung)
  br label %restore
raised:
  %earlier = load ptr, ptr %kind
  %first = icmp eq ptr %earlier, null
  br i1 %first, label %bad, label %restore
bad:
  ret i1 false
restore:
  %k0 = load ptr, ptr %kind
  %v0 = load ptr, ptr %value
  %t0 = load ptr, ptr %trace
  call void @PyErr_Restore(ptr %k0, ptr %v0, ptr %t0)
  ret i1 true
}
"""
