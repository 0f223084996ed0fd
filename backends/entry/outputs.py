"""Parts of the native way into functions: which arrays outputs are, and the form in which they are given.

In the language of `entry/text`. A small output is the array that was given last, when nobody has that any more: whoever
holds it, or a view or weak reference, keeps it as it is, and a new one is made.
"""

from __future__ import annotations

OUTPUT_TEXT = """
; The arrays go.
define internal void @forget(ptr %results, i64 %count) nounwind {
entry:
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k1, %drop ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %drop, label %end
drop:
  %one = item ptr, %results[%k]
  call void @Py_DecRef(ptr %one)
  %k1 = add i64 %k, 1
  br label %next
end:
  ret void
}

; The memory of the last large outputs: arrays of bytes, whose views the outputs are. One that nobody else holds any more
; is used again, since fresh memory costs as much as writing to it.
@outputs = internal global [2 x ptr] zeroinitializer

define internal ptr @large(ptr %api, ptr %dtype, i32 %ndim, ptr %shape, i64 %bytes) nounwind {
entry:
  %extent = alloca i64
  %array_type = at ptr, %api + ARRAY_TYPE
  %new_array = at ptr, %api + NEW_ARRAY
  br label %look
look:
  %k = phi i64 [ 0, %entry ], [ %k1, %next ]
  %cell = getelementptr ptr, ptr @outputs, i64 %k
  %seen = load ptr, ptr %cell
  %empty = icmp eq ptr %seen, null
  br i1 %empty, label %next, label %test
test:
  %count = at i32, %seen + COUNT
  %idle = icmp eq i32 %count, 1
  %dims = at ptr, %seen + DIMS
  %size = load i64, ptr %dims
  %as_large = icmp eq i64 %size, %bytes
  %usable = and i1 %idle, %as_large
  br i1 %usable, label %view, label %next
next:
  %k1 = add i64 %k, 1
  %more = icmp ult i64 %k1, 2
  br i1 %more, label %look, label %new
new:
  store i64 %bytes, ptr %extent
  %byte = at ptr, %api + BYTE
  call void @Py_IncRef(ptr %byte)
  %owner = call ptr %new_array(ptr %array_type, ptr %byte, i32 1, ptr %extent, ptr null, ptr null, i32 0, ptr null)
  %full = icmp eq ptr %owner, null
  br i1 %full, label %none, label %enter
enter:
  %second = getelementptr ptr, ptr @outputs, i64 1
  %oldest = load ptr, ptr %second
  %newer = load ptr, ptr @outputs
  store ptr %newer, ptr %second
  store ptr %owner, ptr @outputs
  %nothing = icmp eq ptr %oldest, null
  br i1 %nothing, label %view, label %drop
drop:
  call void @Py_DecRef(ptr %oldest)
  br label %view
view:
  %memory = phi ptr [ %seen, %test ], [ %owner, %enter ], [ %owner, %drop ]
  %data = at ptr, %memory + DATA
  call void @Py_IncRef(ptr %dtype)
  %array = call ptr %new_array(ptr %array_type, ptr %dtype, i32 %ndim, ptr %shape, ptr null, ptr %data, i32 UPDATABLE, ptr null)
  %failed = icmp eq ptr %array, null
  br i1 %failed, label %none, label %lay
lay:
  call void @Py_IncRef(ptr %memory)
  %set_base = at ptr, %api + SET_BASE
  %wrong = call i32 %set_base(ptr %array, ptr %memory)
  %laid = icmp eq i32 %wrong, 0
  br i1 %laid, label %end, label %undo
undo:
  call void @Py_DecRef(ptr %array)
  br label %none
none:
  ret ptr null
end:
  ret ptr %array
}

; Whether the array that was given for an output last is nobody's any more, and is as a new one would be.
define internal i1 @as_new(ptr %array, ptr %spec, ptr %shape) nounwind {
entry:
  %count = at i32, %array + COUNT
  %idle = icmp eq i32 %count, 1
  br i1 %idle, label %look, label %no
look:
  %descr = at ptr, %array + DESCR
  %dtype = at ptr, %spec + DTYPE
  %same_dtype = icmp eq ptr %descr, %dtype
  %flags = at i32, %array + FLAGS
  %form = at i32, %spec + FORM
  %same_form = icmp eq i32 %flags, %form
  %weak = at ptr, %array + WEAK
  %unseen = icmp eq ptr %weak, null
  %nd = at i32, %array + NDIM
  %ndim = sext i32 %nd to i64
  %axes = at i64, %spec + AXES
  %as_many = icmp eq i64 %ndim, %axes
  %one = and i1 %same_dtype, %same_form
  %two = and i1 %unseen, %as_many
  %all = and i1 %one, %two
  br i1 %all, label %measure, label %no
measure:
  %dims = at ptr, %array + DIMS
  br label %next
next:
  %k = phi i64 [ 0, %measure ], [ %k1, %test ]
  %more = icmp ult i64 %k, %axes
  br i1 %more, label %test, label %yes
test:
  %extent = item i64, %dims[%k]
  %wanted = item i64, %shape[%k]
  %equal = icmp eq i64 %extent, %wanted
  %k1 = add nuw nsw i64 %k, 1
  br i1 %equal, label %next, label %no
yes:
  ret i1 true
no:
  ret i1 false
}

; Small outputs stay known, to be given again when nobody has them. Who had been known goes, and whatever Python does then.
define internal void @keep(ptr %output, i64 %outputs, ptr %results, ptr %measures) nounwind {
entry:
  br label %next
next:
  %o = phi i64 [ 0, %entry ], [ %o1, %done ]
  %more = icmp ult i64 %o, %outputs
  br i1 %more, label %look, label %end
look:
  %given_at = mul i64 %o, SPEC_BYTES
  %given = getelementptr i8, ptr %output, i64 %given_at
  %array = item ptr, %results[%o]
  %last = at ptr, %given + LAST
  %never = icmp eq ptr %last, null
  br i1 %never, label %done, label %compare
compare:
  %known = load ptr, ptr %last
  %is_known = icmp eq ptr %known, %array
  br i1 %is_known, label %done, label %weigh
weigh:
  %first = at i64, %given + EXTENT
  %shape = getelementptr i64, ptr %measures, i64 %first
  %bytes = call i64 @length(ptr %given, ptr %shape)
  %is_small = icmp ule i64 %bytes, SMALL
  br i1 %is_small, label %exchange, label %done
exchange:
  %flags = at i32, %array + FLAGS
  set i32 %flags, %given + FORM
  call void @Py_IncRef(ptr %array)
  store ptr %array, ptr %last
  call void @Py_DecRef(ptr %known)
  br label %done
done:
  %o1 = add nuw nsw i64 %o, 1
  br label %next
end:
  ret void
}

; The outputs in the form that the caller asked for, or null and an exception. The arrays are the result's then.
define internal ptr @result(ptr %table, ptr %api, ptr %results, i64 %count) nounwind {
entry:
  %kind = at i64, %table + KIND
  switch i64 %kind, label %dictionary [ i64 GIVES_ONE, label %one i64 GIVES_LIST, label %list i64 GIVES_NONE, label %none ]
one:
  %first = load ptr, ptr %results
  ret ptr %first
none:
  %nothing = at ptr, %api + NONE
  call void @Py_IncRef(ptr %nothing)
  ret ptr %nothing
list:
  %row = call ptr @PyList_New(i64 %count)
  %no_row = icmp eq ptr %row, null
  br i1 %no_row, label %lost, label %fill
fill:
  %k = phi i64 [ 0, %list ], [ %k1, %put ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %put, label %listed
put:
  %array = item ptr, %results[%k]
  %stored = call i32 @PyList_SetItem(ptr %row, i64 %k, ptr %array)
  %k1 = add i64 %k, 1
  br label %fill
listed:
  ret ptr %row
dictionary:
  %named = call ptr @PyDict_New()
  %no_dict = icmp eq ptr %named, null
  br i1 %no_dict, label %lost, label %name
name:
  %keys = at ptr, %table + KEYS
  br label %label
label:
  %j = phi i64 [ 0, %name ], [ %j1, %enter ]
  %rest = icmp ult i64 %j, %count
  br i1 %rest, label %enter, label %labelled
enter:
  %key = item ptr, %keys[%j]
  %value = item ptr, %results[%j]
  %bad = call i32 @PyDict_SetItem(ptr %named, ptr %key, ptr %value)
  %j1 = add i64 %j, 1
  %fine = icmp eq i32 %bad, 0
  br i1 %fine, label %label, label %broken
broken:
  call void @Py_DecRef(ptr %named)
  br label %lost
labelled:
  call void @forget(ptr %results, i64 %count)
  ret ptr %named
lost:
  call void @forget(ptr %results, i64 %count)
  ret ptr null
}
"""
