extension [Double] {
    /// The middle of the values, the upper one of two. There must be one.
    var median: Double {
        precondition(!isEmpty, "the median of nothing")
        return sorted()[count / 2]
    }
}
